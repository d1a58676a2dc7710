//! `HELP` of commands that have subcommands.

use super::call::Call;
use super::spec::Command;
use crate::failure::Failure;

/// Lists a command's subcommands, for people.
pub(super) fn help(call: &mut Call<'_>, command: &Command) -> Result<(), Failure> {
    let name = command.name.to_uppercase();
    call.reply.array(1 + command.subcommands.len() * 2);
    call.reply.simple(format!("{name} has these subcommands:"));
    for subcommand in command.subcommands {
        call.reply.simple(subcommand.short_name().to_uppercase());
        call.reply.simple(format!("    {}", subcommand.summary));
    }
    Ok(())
}
