//! Beyond one machine: behind a balancer, and several relays without one.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/temp.rs"]
mod temp;

#[cfg(unix)]
mod haproxy;
mod meeting;
mod proxy;
mod rendezvous;
