//! Readiness over `sys`.
