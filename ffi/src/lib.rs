//! libp2pxfer.
