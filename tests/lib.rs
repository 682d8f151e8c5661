//! What the workspace tests share: generators, ISA loops, tolerances.
