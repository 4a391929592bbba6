//! Linux only: `epoll` and `splice`.
