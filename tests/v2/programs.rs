//! The two programs: streams, standard output, ends by force, memory.
