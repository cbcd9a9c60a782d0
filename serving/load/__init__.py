"""What `serving.load_test` is made of."""
