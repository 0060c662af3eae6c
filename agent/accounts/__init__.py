"""Usage records for billing, and webhook events for the app's backend."""
