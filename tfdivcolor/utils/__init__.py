"""What several rooms share and none owns: files, errors, messages."""
