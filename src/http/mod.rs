//! Find the upgrade.
