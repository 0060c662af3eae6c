"""getWeather and the service that it asks."""
