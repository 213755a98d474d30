"""One stage, one file: commit → share → solve → release → certify."""
