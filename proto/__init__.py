"""The wire contract; the *_pb2 modules are generated from tacita.proto (make proto) and checked in CI."""
