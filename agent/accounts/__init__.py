"""What was used, by whom, and what happened: for bills, and for the app's backend."""
