"""What `serving.standin` is made of."""
