"""The rules of valid input, pure: the gateway holds every client to them, and the client refuses early by them."""
