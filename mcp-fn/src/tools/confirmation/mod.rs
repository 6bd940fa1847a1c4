//! Asks the user before something is lost. A client that can ask gets the question with a sealed
//! state, and calls again with both the state and the answer (MCP 2026-07-28, multi round-trip
//! requests); any other client is told to ask, and to confirm by an argument.

mod call;
mod loss;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitationSchema, InputRequest, InputRequiredResult,
};
use shared::clock::{Clock, UnixTime};
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::storage::Version;

use super::fault::ToolFault;

pub(super) use call::{Call, Dialogue};
pub(super) use loss::Loss;

/// How long a question may be answered.
const ANSWER_WITHIN: Duration = Duration::from_mins(5);

/// The name of the question among the input requests.
const QUESTION: &str = "confirmation";

/// The member of the form that says yes.
const CONFIRM: &str = "confirm";

/// What seals questions and opens them again.
#[derive(Debug)]
pub(super) struct Confirmations {
    sealer: Sealer,
    clock: Arc<dyn Clock>,
}

/// What the user has agreed to.
pub(super) enum Consent {
    /// To whatever the call does: the client says so.
    Everything,
    /// To nothing so far.
    Nothing,
    /// To the loss of the snippet at this version.
    Loss(Version),
}

impl Confirmations {
    /// Questions that are sealed with `keys`.
    pub(super) fn new(keys: &KeyRing, clock: Arc<dyn Clock>) -> Self {
        Self { sealer: keys.sealer(Purpose::Confirmation), clock }
    }

    /// What the user has agreed to about `call`.
    ///
    /// # Errors
    /// The state is not that of a question about this call, or is too old; the answer cannot be
    /// read; the user did not agree.
    pub(super) fn consent(&self, call: &Call<'_>) -> Result<Consent, ToolFault> {
        let asked_about = match call.state() {
            None => None,
            Some(state) => Some(self.open(call, state).ok_or(ToolFault::ForeignState)?),
        };
        // Where the client can ask, the word of a model is no answer of its user.
        if call.confirmed && !call.client_can_ask() {
            return Ok(Consent::Everything);
        }
        let Some(version) = asked_about else {
            return Ok(Consent::Nothing);
        };
        match call.answer()? {
            None => Ok(Consent::Nothing),
            Some(answer) if call::is_yes(&answer) => Ok(Consent::Loss(version)),
            Some(_) => Err(ToolFault::Declined(call.name.clone())),
        }
    }

    /// The question whether the user wants `loss`, which is of a snippet at `version`.
    ///
    /// # Errors
    /// The client cannot ask.
    pub(super) fn ask(
        &self,
        call: &Call<'_>,
        loss: Loss,
        version: &Version,
    ) -> Result<InputRequiredResult, ToolFault> {
        if !call.client_can_ask() {
            return Err(ToolFault::Unconfirmed(loss));
        }
        let form = BTreeMap::from([(CONFIRM.to_owned(), loss.checkbox())]);
        let request = ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: loss.question(),
            requested_schema: ElicitationSchema::new(form).with_required(vec![CONFIRM.to_owned()]),
        });
        let requests = BTreeMap::from([(QUESTION.to_owned(), InputRequest::Elicitation(request))]);
        Ok(InputRequiredResult::new(Some(requests), Some(self.seal(call, version))))
    }

    /// A state that opens for this call alone. After its answer was acted on, its version is gone,
    /// so that it serves once.
    fn seal(&self, call: &Call<'_>, version: &Version) -> String {
        let now = self.clock.now();
        let expires_at = now.plus(ANSWER_WITHIN).as_secs().to_be_bytes();
        let asked = [expires_at.as_slice(), version.as_str().as_bytes()].concat();
        BASE64URL_NOPAD.encode(&self.sealer.seal(now.day(), &call.place(), &asked))
    }

    fn open(&self, call: &Call<'_>, state: &str) -> Option<Version> {
        let sealed = BASE64URL_NOPAD.decode(state.as_bytes()).ok()?;
        let opened = self.sealer.open(&call.place(), &sealed).ok()?;
        let (expires_at, version) = opened.plaintext.split_first_chunk::<8>()?;
        let expires_at = UnixTime::from_secs(u64::from_be_bytes(*expires_at));
        let version = std::str::from_utf8(version).ok()?;
        (self.clock.now() < expires_at).then(|| Version::new(version))
    }
}
