//! Rules of `#[derive(Command)]`.

use syn::Data;

use super::item;
use super::missing::Required;
use super::stored_name::{self, NameRule};
use crate::ctxt::Ctxt;
use crate::model::Command;
use crate::written::written;

const NAME: NameRule =
    NameRule { of: "a command", purpose: "logs show it", bytes: 1024, begins_stream: false };

/// Checks everything that one command says.
pub(crate) fn command(ctxt: &Ctxt, command: &Command<'_>) {
    let Data::Struct(_) = command.input.data else {
        ctxt.error(
            item::keyword(command.input),
            "a command is a struct\nhelp: derive `Command` on one struct for each command",
        );
        return;
    };
    item::owns_its_data(ctxt, command.input, "a command");
    has_aggregate(ctxt, command);
    stored_name::check(ctxt, command.input, command.name.value(), &NAME);
    has_one_id(ctxt, command);
}

fn has_aggregate(ctxt: &Ctxt, command: &Command<'_>) {
    let Command { input, attribute, .. } = *command;
    let required = Required { ctxt, kind: &Command::ATTRIBUTE, input, attribute };
    if let Some(attribute) = required.attribute("aggregate = ...")
        && command.aggregate.is_missing()
    {
        required.option(attribute, "aggregate", "`aggregate = ...`, the type that decides it,");
    }
}

fn has_one_id(ctxt: &Ctxt, command: &Command<'_>) {
    let ident = &command.input.ident;
    let owner = match command.aggregate.value() {
        Some(aggregate) => format!("the id of `{}`", written(aggregate)),
        None => "the aggregate's id".to_owned(),
    };
    match command.ids.as_slice() {
        [] => ctxt.error(
            ident,
            format_args!(
                "command `{ident}` does not say whom it is for\nhelp: mark the field that holds {owner} with `#[command(id)]`"
            ),
        ),
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                ctxt.error(
                    other.name(),
                    format_args!(
                        "command `{ident}` has two fields with `#[command(id)]`\nhelp: keep the one on the field that holds {owner}"
                    ),
                );
            }
            ctxt.error(first.name(), "the first id is here");
        }
    }
}
