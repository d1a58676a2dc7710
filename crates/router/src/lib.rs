//! The sans-IO core of the routing node.
