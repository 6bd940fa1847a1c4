//! The tools and prompts that ask back (SEP-2322): what they want to know in each round, and how
//! they know which round it is without remembering anything.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use rmcp::ErrorData;
use rmcp::model::{ClientCapabilities, InputRequiredResult, InputResponses};
use serde_json::{Value, json};
use shared::secret::random_bytes;

use crate::content::{text, typed};

/// By key: what the client is asked for.
type Questions = BTreeMap<&'static str, Value>;

/// What a client sent along when it called, again or for the first time.
pub(crate) struct Answers {
    pub(crate) capabilities: ClientCapabilities,
    pub(crate) responses: InputResponses,
    pub(crate) state: Option<String>,
}

/// What follows from the answers.
pub(crate) enum Turn {
    /// There is something to ask.
    Ask(InputRequiredResult),
    /// All was answered; this tells what.
    Done(String),
}

/// Everything that asks back. The state that a client brings back is signed.
pub(crate) struct Dialogues {
    key: hmac::Key,
}

impl Default for Dialogues {
    fn default() -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>()) }
    }
}

impl Dialogues {
    /// The next turn of `name`, if it is a dialogue.
    ///
    /// # Errors
    /// The state is not ours, or the client can answer nothing.
    pub(crate) fn turn(&self, name: &str, answers: &Answers) -> Result<Option<Turn>, ErrorData> {
        let Some((memory, rounds)) = rounds(name) else {
            return Ok(None);
        };
        let round = answers.state.as_deref().map(|state| self.round(name, state)).transpose()?;
        let round = round.unwrap_or_default();
        let question = |round: usize| {
            let questions = rounds.get(round).map(|all| can_be_asked(all, &answers.capabilities));
            let state = matches!(memory, Memory::State).then(|| self.sign(name, round));
            questions.map(|questions| (questions, state))
        };
        let (questions, state) = question(round).ok_or_else(forged)?;
        // Without the state of an earlier round, nothing can have been answered yet.
        let begun = matches!(memory, Memory::None) || answers.state.is_some();
        if !begun || !are_answered(&questions, &answers.responses) {
            return ask(&questions, state).map(Some);
        }
        if let Some((questions, state)) = question(round + 1) {
            return ask(&questions, state).map(Some);
        }
        let word = if answers.state.is_some() { "state-ok" } else { "answered" };
        Ok(Some(Turn::Done(format!("{word}: {}", json!(answers.responses)))))
    }

    fn sign(&self, name: &str, round: usize) -> String {
        let tag = hmac::sign(&self.key, format!("{name}/{round}").as_bytes());
        format!("{round}.{}", HEXLOWER.encode(tag.as_ref()))
    }

    fn round(&self, name: &str, state: &str) -> Result<usize, ErrorData> {
        let (round, tag) = state.split_once('.').ok_or_else(forged)?;
        let tag = HEXLOWER.decode(tag.as_bytes()).map_err(|_| forged())?;
        hmac::verify(&self.key, format!("{name}/{round}").as_bytes(), &tag)
            .map_err(|_| forged())?;
        round.parse().map_err(|_| forged())
    }
}

fn forged() -> ErrorData {
    ErrorData::invalid_params("the requestState is not one of ours", None)
}

fn ask(questions: &Questions, state: Option<String>) -> Result<Turn, ErrorData> {
    if questions.is_empty() {
        let required = ClientCapabilities::builder().enable_elicitation().build();
        return Err(ErrorData::missing_required_client_capability(required));
    }
    Ok(Turn::Ask(InputRequiredResult::new(Some(typed(json!(questions))?), state)))
}

/// Of `questions`, what a client with `capabilities` can answer.
fn can_be_asked(questions: &Questions, capabilities: &ClientCapabilities) -> Questions {
    let capabilities = json!(capabilities);
    let mut asked = questions.clone();
    asked.retain(|_, question| {
        let capability = question["method"].as_str().and_then(|method| method.split('/').next());
        capability.is_some_and(|capability| !capabilities[capability].is_null())
    });
    asked
}

fn are_answered(questions: &Questions, responses: &InputResponses) -> bool {
    questions.iter().all(|(key, question)| {
        let member = if question["method"] == "roots/list" { "roots" } else { "content" };
        responses.get(*key).is_some_and(|response| !response[member].is_null())
    })
}

/// Whether a dialogue has state that the client brings back.
#[derive(Clone, Copy)]
enum Memory {
    None,
    State,
}

fn rounds(name: &str) -> Option<(Memory, Vec<Questions>)> {
    let name_of_user = || ("user_name", form("What is your name?", "name", "string"));
    let confirmation = || ("confirm", form("Please confirm", "ok", "boolean"));
    let roots = || ("client_roots", json!({ "method": "roots/list", "params": {} }));
    let one = |question| vec![Questions::from([question])];
    let (memory, rounds) = match name.trim_start_matches("test_input_required_result_") {
        "elicitation" | "test_streaming_elicitation" => (Memory::None, one(name_of_user())),
        "sampling" => {
            let question = message("What is the capital of France?");
            (Memory::None, one(("capital_question", question)))
        }
        "list_roots" => (Memory::None, one(roots())),
        "request_state" | "tampered_state" => (Memory::State, one(confirmation())),
        "multiple_inputs" | "capabilities" => {
            let greeting = ("greeting", message("Generate a greeting"));
            (Memory::State, vec![Questions::from([name_of_user(), greeting, roots()])])
        }
        "multi_round" => {
            let colour = form("Step 2: What is your favorite color?", "color", "string");
            let name = form("Step 1: What is your name?", "name", "string");
            let rounds = [("step1", name), ("step2", colour)];
            (Memory::State, rounds.into_iter().flat_map(one).collect())
        }
        "prompt" => {
            let question = form("What context should the prompt use?", "context", "string");
            (Memory::None, one(("user_context", question)))
        }
        _ => return None,
    };
    Some((memory, rounds))
}

fn form(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({
        "type": "object",
        "properties": { field: { "type": kind } },
        "required": [field],
    });
    let params = json!({ "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn message(question: &str) -> Value {
    let messages = [json!({ "role": "user", "content": text(question) })];
    let params = json!({ "messages": messages, "maxTokens": 100 });
    json!({ "method": "sampling/createMessage", "params": params })
}
