"""Who takes part, what may be said, and what is computed: no sockets, clocks, files or system entropy here."""
