"""Who somebody is and what they may do: roles, tokens, claims of identity providers, and what each call asks for."""
