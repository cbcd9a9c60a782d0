"""What `serving.client` is made of."""
