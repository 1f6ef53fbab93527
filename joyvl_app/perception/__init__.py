"""What one look at a picture shows: per-frame evidence for the embedded decider, the gate, the tools and the digest."""
