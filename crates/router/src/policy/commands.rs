//! Which commands a user may run: rules such as `+@read -keys +config|get`, of which the last one that
//! speaks of a command decides.

use crate::catalog::{Known, category, known};
use foldhash::fast::FixedState;
use std::collections::HashSet;

/// What a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    All,
    /// A category, by its bit.
    Category(u32),
    /// A command with all its parts, or a part.
    Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CommandRule {
    adds: bool,
    of: Of,
    /// What stands behind the sign, in lower case.
    text: String,
}

impl CommandRule {
    fn speaks_of(&self, known: &Known) -> bool {
        match self.of {
            Of::All => true,
            Of::Category(bit) => known.categories() & bit != 0,
            Of::Name => known
                .name
                .strip_prefix(&*self.text)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('|')),
        }
    }
}

/// Which commands a user may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandRules {
    rules: Vec<CommandRule>,
    /// The commands of the table that the rules come to.
    allowed: HashSet<&'static str, FixedState>,
    /// Whether `GET` is one of them: asked for every hit.
    gets: bool,
    all: bool,
}

impl CommandRules {
    /// Adds a rule, `+` or `-` and a name or `@` and a category; whether there is what it names.
    pub(super) fn add(&mut self, adds: bool, what: &str) -> bool {
        let text = what.to_ascii_lowercase();
        let of = match text.strip_prefix('@') {
            Some("all") => Of::All,
            Some(name) => match category(name) {
                Some(bit) => Of::Category(bit),
                None => return false,
            },
            // A command that is not in the table is one of the store's modules, perhaps.
            None if text.contains('|') => match known().any(|known| known.name == text) {
                true => Of::Name,
                false => return false,
            },
            None => Of::Name,
        };
        if of == Of::All {
            self.rules.clear();
        }
        self.rules.retain(|rule| rule.text != text);
        self.rules.push(CommandRule { adds, of, text });
        true
    }

    /// Works out what the rules come to.
    pub(super) fn settle(&mut self) {
        let allowed = known().filter(|known| self.decide(known));
        self.allowed = allowed.map(|known| &*known.name).collect();
        self.gets = self.allowed.contains("get");
        self.all = matches!(&*self.rules, [CommandRule { adds: true, of: Of::All, .. }]);
    }

    fn decide(&self, known: &Known) -> bool {
        self.rules.iter().rev().find(|rule| rule.speaks_of(known)).is_some_and(|rule| rule.adds)
    }

    /// Whether a command may be run.
    #[inline]
    pub(crate) fn allow(&self, command: &Known) -> bool {
        self.all || self.allowed.contains(&*command.name) || self.allow_other(command)
    }

    /// Whether a command may be run that is not in the table.
    #[cold]
    fn allow_other(&self, command: &Known) -> bool {
        !known().any(|known| known.name == command.name) && self.decide(command)
    }

    #[inline]
    pub(crate) fn allow_get(&self) -> bool {
        self.gets
    }

    /// Whether nothing that `other` permits is lost.
    pub(super) fn cover(&self, other: &Self) -> bool {
        self.all
            || self.rules == other.rules
            || (!other.all && other.allowed.is_subset(&self.allowed))
    }

    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// As rules, from those that permit nothing or everything on.
    pub(crate) fn describe(&self) -> String {
        let sign = |rule: &CommandRule| if rule.adds { '+' } else { '-' };
        let mut all: Vec<_> =
            self.rules.iter().map(|rule| format!("{}{}", sign(rule), rule.text)).collect();
        if self.rules.first().is_none_or(|rule| rule.of != Of::All) {
            all.insert(0, "-@all".into());
        }
        all.join(" ")
    }
}
