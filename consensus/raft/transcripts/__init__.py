"""Language-neutral transcripts in etcd's format: read, run against our Raft, and compared with what they expect.

`python -m consensus.conformance raft DIR` is the way in.
"""
