"""Running the platform without its UI, and telling people how runs and checks ended."""
