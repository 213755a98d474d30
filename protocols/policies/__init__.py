"""What is computed; each policy is a package that knows its problem and never a socket."""
