//! A command being run, and what its functions share.

use super::state::State;
use crate::failure::Failure;
use crate::shared::{ClientId, Router};
use crate::store::{DbKey, Hand};
use breakwater_resp::{Args, ReplyWriter, number};

pub(super) const SYNTAX: &str = "ERR syntax error";
pub(super) const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

/// A command being run.
pub(crate) struct Call<'a> {
    pub(crate) router: &'a Router,
    pub(crate) state: &'a mut State,
    pub(crate) args: Args<'a>,
    pub(crate) reply: ReplyWriter<'a>,
    /// Unix milliseconds.
    pub(crate) now: i64,
    /// Clients whose connections the driver must close.
    pub(crate) kills: &'a mut Vec<ClientId>,
}

impl<'a> Call<'a> {
    #[inline]
    pub(super) fn store(&self) -> Hand<'a> {
        Hand::new(&self.router.store, self.state.client.id)
    }

    /// The key that the word at `index` names in the client's database.
    #[inline]
    pub(super) fn key(&self, index: usize) -> DbKey {
        DbKey::new(self.state.db, self.args.word(index))
    }

    pub(super) fn integer(&self, index: usize) -> Result<i64, Failure> {
        number::integer(self.args.word(index)).ok_or(NOT_AN_INTEGER.into())
    }
}
