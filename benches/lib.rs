//! Developers' criterion sweeps over the kernels.
