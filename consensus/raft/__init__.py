"""Raft: a pure core in the shape of etcd's, and the replica that runs it on the kernel."""
