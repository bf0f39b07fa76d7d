"""How much one caller, and one namespace, may ask of a server in a second: so that none of them has it all. Pure."""
