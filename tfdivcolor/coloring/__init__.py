"""Full-size colourings of photographs, one or a folder of them."""
