//! Transactions, genesis, descriptors, events and parameters of the consensus layer.
