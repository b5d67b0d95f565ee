"""The messages and stubs of chorus.gateway.v1; all but descriptors.py and gateway_pb2.py is made by `make proto`."""
