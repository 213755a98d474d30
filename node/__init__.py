"""One party on one machine: files, journal, transport, engine process, server."""
