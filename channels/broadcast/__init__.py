"""Emergency-broadcasting gateways: the message packets, and the ways of pushing them."""
