"""What `serving.bulk` is made of; all but this needs Apache Beam."""
