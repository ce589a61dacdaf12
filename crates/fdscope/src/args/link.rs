//! `fdscope link`.

use clap::{Args, Subcommand};

use super::values::Color;

/// `fdscope link`.
#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    fdscope link                        every interface, and MTUs that do not fit together\n  \
    fdscope link tun0                   one, with the process that owns it, and what its offloads make of captures\n  \
    sudo fdscope link set eth0 mtu 1400\n  \
    sudo fdscope link set eth0 up")]
pub struct Link {
    /// Change an interface instead of showing them.
    #[command(subcommand)]
    pub command: Option<LinkCommand>,
    /// Interfaces to show [default: all]
    #[arg(value_name = "LINK")]
    pub names: Vec<String>,
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

/// What can be done to an interface.
#[derive(Subcommand, Debug, Clone)]
pub enum LinkCommand {
    /// Set the MTU of an interface, or switch it up or down
    Set {
        /// The interface
        #[arg(value_name = "LINK")]
        name: String,
        /// `mtu N`, `up`, `down`, or several of them
        #[arg(value_name = "mtu N|up|down", required = true)]
        changes: Vec<String>,
    },
}
