//! Plays a case against the system and the model at once, and says where they part.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Accident, Answer, Operation, State};
use crate::system::{CACHE, Reply, SeenPair, Sent, Site, System};
use crate::tally::Tally;
use crate::wish::{Deed, Mishap, Step};

/// Where the system did not do what is promised.
pub(crate) type Breach = String;

type Token = (usize, usize);

/// A case in progress. After a fault there may be several states that the system can be in; each
/// answer rules some out, and when none is left, a promise was broken.
struct Judge<'a> {
    system: System<'a>,
    states: BTreeSet<State>,
    /// Since when access tokens are known to be dead, and when they were last taken.
    dead: BTreeSet<Token>,
    taken_at: BTreeMap<Token, u64>,
    now: u64,
    tally: &'a mut Tally,
}

/// Plays `steps`.
pub(crate) async fn play(site: &Site, steps: &[Step], tally: &mut Tally) -> Result<(), Breach> {
    let mut judge = Judge {
        system: System::new(site),
        states: BTreeSet::from([State::default()]),
        dead: BTreeSet::new(),
        taken_at: BTreeMap::new(),
        now: 0,
        tally,
    };
    judge.tally.cases += 1;
    for step in steps {
        judge.step(step).await.map_err(|breach| format!("{breach}\nat {step:?}"))?;
    }
    judge.at_last().await
}

impl Judge<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Breach> {
        match step {
            Step::Connect { client, browser, user, steps } => {
                self.connect(*client, *browser, *user, *steps).await
            }
            Step::Return { sign_in, user, mishap } => {
                let sign_in_again = Deed::SignIn { user: Some(*user) };
                for (deed, mishap) in
                    [(sign_in_again, Mishap::None), (Deed::Callback { own_browser: true }, *mishap)]
                {
                    if let Some((operation, token)) = deed.resolve(*sign_in, &self.system) {
                        self.alone(operation, token, mishap).await?;
                    }
                }
                Ok(())
            }
            Step::Alone(wish, mishap) => match wish.resolve(&self.system) {
                Some((operation, token)) => self.alone(operation, token, *mishap).await,
                None => Ok(()),
            },
            Step::AtOnce { sign_in, deeds, schedule } => {
                let [one, two] = deeds.map(|deed| deed.resolve(*sign_in, &self.system));
                match (one, two) {
                    (Some((one, _)), Some((two, _))) => self.at_once([one, two], *schedule).await,
                    _ => Ok(()),
                }
            }
        }
    }

    /// The first `steps` on the way of an honest client.
    async fn connect(
        &mut self,
        client: usize,
        browser: usize,
        user: usize,
        steps: usize,
    ) -> Result<(), Breach> {
        if !self.system.has_room(browser) {
            return Ok(());
        }
        let (request, sign_in) = (self.system.requests.len(), self.system.sign_ins.len());
        let operations = [
            Operation::Authorize { client, browser },
            Operation::Decide { request, browser, allow: true },
            Operation::SignIn { sign_in, user: Some(user) },
            Operation::Callback { sign_in, browser },
            Operation::Redeem { sign_in, client, verifier_is_right: true },
        ];
        for operation in operations.into_iter().take(steps) {
            // A disabled user gets no further than the identity provider.
            if self.system.can_send(operation) {
                self.alone(operation, None, Mishap::None).await?;
            }
        }
        Ok(())
    }

    async fn alone(
        &mut self,
        operation: Operation,
        token: Option<String>,
        mishap: Mishap,
    ) -> Result<(), Breach> {
        if self.system.arrange(operation).await {
            if let Operation::Wait { seconds } = operation {
                self.now += seconds;
            }
            self.narrow(operation, Accident::None, Answer::Done, false)?;
            return self.probe().await;
        }
        let away = matches!(mishap, Mishap::UpstreamAway).then(|| self.system.send_upstream_away());
        let Sent { reply, watch } =
            self.system.send(operation, token.as_deref(), mishap.broken()).await;
        if let Some(calls) = away {
            self.system.bring_upstream_back(calls).await;
        }
        let accident = mishap.accident(watch.broke());
        let read = reply.as_ref().map(|reply| self.read(operation, reply)).transpose()?;
        let arrived = reply.filter(|_| accident != Accident::AnswerLost);
        let answer = read.filter(|_| arrived.is_some()).unwrap_or(Answer::Nothing);
        self.narrow(operation, accident, answer, watch.writes() > 0)?;
        if let Some(reply) = arrived {
            let stubborn = accident == Accident::CookiesKept;
            if !(stubborn && matches!(operation, Operation::Callback { .. })) {
                self.system.keep_cookies(operation, &reply);
            }
            self.learn(operation, answer, &reply)?;
        }
        self.probe().await
    }

    async fn at_once(&mut self, operations: [Operation; 2], schedule: u32) -> Result<(), Breach> {
        let sent = self.system.send_both(operations, schedule).await;
        let replies = sent.map(|sent| sent.reply.unwrap());
        let answers =
            [self.read(operations[0], &replies[0])?, self.read(operations[1], &replies[1])?];
        let endings = self.states.iter().flat_map(|state| state.race(operations));
        let (right, others): (Vec<_>, Vec<_>) = endings.partition(|(seen, _)| *seen == answers);
        if right.is_empty() {
            let promised: BTreeSet<_> = others.into_iter().map(|(answers, _)| answers).collect();
            return Err(format!("{operations:?} at once: {answers:?}, promised: {promised:?}"));
        }
        self.states = right.into_iter().map(|(_, state)| state).collect();
        for ((operation, answer), reply) in operations.into_iter().zip(answers).zip(&replies) {
            self.tally.race(operation, answer);
            self.system.keep_cookies(operation, reply);
            self.learn(operation, answer, reply)?;
        }
        self.probe().await
    }

    /// At last, each client uses what it has: whoever was not refused for a reason goes on.
    async fn at_last(&mut self) -> Result<(), Breach> {
        for sign_in in 0..self.system.sign_ins.len() {
            let seen = &self.system.sign_ins[sign_in];
            let (client, newest) = (seen.client, seen.pairs.keys().next_back().copied());
            if let Some(pair) = newest {
                for operation in [
                    Operation::Call { sign_in, pair },
                    Operation::Refresh { sign_in, pair, client },
                ] {
                    self.alone(operation, None, Mishap::None).await?;
                }
            }
        }
        Ok(())
    }

    /// Keeps the states that the answer leaves possible.
    fn narrow(
        &mut self,
        operation: Operation,
        accident: Accident,
        answer: Answer,
        wrote: bool,
    ) -> Result<(), Breach> {
        self.tally.step(operation, accident, answer);
        let (mut possible, mut promised) = (BTreeSet::new(), BTreeSet::new());
        let mut may_write = false;
        for state in &self.states {
            for (expected, after) in state.outcomes(operation, accident) {
                promised.insert(expected);
                if expected == answer {
                    may_write |= !state.same_grants(&after);
                    possible.insert(after);
                }
            }
        }
        self.states = possible;
        if self.states.is_empty() {
            return Err(format!("{operation:?}, {accident:?}: {answer:?}, promised: {promised:?}"));
        }
        // A request that changes no grant writes nothing, above all one of strangers.
        // A user who ends sessions tidies up behind those that have ended by themselves.
        let tidies = matches!(operation, Operation::RevokeAll { .. });
        if wrote && !may_write && !tidies {
            return Err(format!("{operation:?}, {accident:?}: {answer:?}, and it wrote"));
        }
        Ok(())
    }

    /// Asks for every access token that was ever seen whether it is taken.
    async fn probe(&mut self) -> Result<(), Breach> {
        let mut living = BTreeMap::<usize, usize>::new();
        for (token, access) in self.system.access_tokens() {
            let [fresh, cached] = self.system.takes(&access).await;
            self.states.retain(|state| state.accepts(token.0, token.1) == fresh);
            if self.states.is_empty() {
                let taken = if fresh { "taken" } else { "refused" };
                return Err(format!("the access token {token:?} is {taken}"));
            }
            self.check_cache(token, fresh, cached)?;
            if !fresh {
                self.dead.insert(token);
                continue;
            }
            if self.dead.contains(&token) {
                return Err(format!("the access token {token:?} rose from the dead"));
            }
            *living.entry(token.0).or_default() += 1;
        }
        match living.into_iter().find(|(_, count)| *count > 1) {
            Some((sign_in, _)) => Err(format!("the grant {sign_in} has two living tokens")),
            None => Ok(()),
        }
    }

    /// A reader that remembers takes what is good, and for less than its time what was good.
    fn check_cache(&mut self, token: Token, fresh: bool, cached: bool) -> Result<(), Breach> {
        if fresh {
            self.taken_at.insert(token, self.now);
        }
        let recent = self.taken_at.get(&token).is_some_and(|at| self.now - at < CACHE.as_secs());
        let expired = self.states.iter().all(|state| state.is_expired(token.0, token.1));
        if cached != fresh {
            self.tally.remembered += 1;
            if fresh || !recent || expired {
                return Err(format!("a cache takes {token:?}: {cached}, and it is good: {fresh}"));
            }
        }
        Ok(())
    }

    /// What clients and browsers keep of an answer.
    fn learn(&mut self, operation: Operation, answer: Answer, reply: &Reply) -> Result<(), Breach> {
        let location = reply.location().unwrap_or_default();
        match (operation, answer) {
            (Operation::Authorize { client, browser }, Answer::ToConsent) => {
                let sealed = location.split_once("?request=").map(|(_, sealed)| sealed.to_owned());
                self.system.keep_request(client, browser, sealed.unwrap());
            }
            (Operation::Decide { request, browser, .. }, Answer::ToSignIn) => {
                self.system.keep_sign_in(request, browser, location);
            }
            (Operation::Callback { sign_in, .. }, Answer::Code) => {
                let code = reply.to_client().unwrap().remove("code");
                self.system.sign_ins[sign_in].code = code;
            }
            (Operation::Redeem { sign_in, .. }, Answer::Tokens) => {
                self.system.keep_pair((sign_in, 0), pair(reply)?)?;
            }
            (Operation::Refresh { sign_in, pair: number, .. }, Answer::Tokens) => {
                self.system.keep_pair((sign_in, number + 1), pair(reply)?)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The kind of an answer; a breach if it is none that is documented.
    fn read(&self, operation: Operation, reply: &Reply) -> Result<Answer, Breach> {
        let origin = self.system.origin();
        let answer = if let Some(sent) = reply.to_client() {
            let ours = sent.get("iss").map(String::as_str) == Some(origin)
                && sent.get("state").is_some_and(|state| state == "client-state");
            match (sent.get("code"), sent.get("error").map(String::as_str)) {
                (Some(_), None) if ours => Some(Answer::Code),
                (None, Some(error)) if ours => {
                    ERRORS.into_iter().find(|code| *code == error).map(Answer::SentBack)
                }
                _ => None,
            }
        } else if let Some(location) = reply.location() {
            let below = |path: &str| {
                location.strip_prefix(origin).is_some_and(|rest| rest.starts_with(path))
            };
            match reply.status.as_u16() {
                302 if below("/consent?request=") => Some(Answer::ToConsent),
                303 if below("/dev-idp/authorize?") => Some(Answer::ToSignIn),
                303 if below("/account") => Some(Answer::Revoked),
                _ => None,
            }
        } else {
            without_location(operation, reply)
        };
        answer.ok_or_else(|| {
            let body = String::from_utf8_lossy(&reply.body);
            format!("{operation:?}: {} is no answer that is documented: {body}", reply.status)
        })
    }
}

/// The error codes that browsers take to clients.
const ERRORS: [&str; 3] = ["access_denied", "server_error", "temporarily_unavailable"];

fn without_location(operation: Operation, reply: &Reply) -> Option<Answer> {
    let page = reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let body = reply.json();
    let error = body["error"].as_str();
    match (operation, reply.status.as_u16(), error) {
        (Operation::Look { .. }, 200, _) if page => Some(Answer::Shown),
        (Operation::RevokeAll { .. }, 503, _) if page => Some(Answer::TryAgain),
        (_, 400, _) if page => Some(Answer::Unusable),
        (_, 403, _) if page => Some(Answer::Forbidden),
        (Operation::Redeem { .. } | Operation::Refresh { .. }, 200, None) => Some(Answer::Tokens),
        (Operation::RevokeAccess { .. } | Operation::RevokeRefresh { .. }, 200, None) => {
            Some(Answer::Revoked)
        }
        (Operation::Call { .. }, 200, None) => Some(Answer::Served),
        (_, 400, Some("invalid_grant")) => Some(Answer::InvalidGrant),
        (_, 401, Some("invalid_token")) => Some(Answer::NotLetIn),
        (_, 503, Some("temporarily_unavailable")) if reply.header("retry-after").is_some() => {
            Some(Answer::TryAgain)
        }
        _ => None,
    }
}

fn pair(reply: &Reply) -> Result<SeenPair, Breach> {
    let body = reply.json();
    let text = |name: &str| {
        let text = body[name].as_str().map(str::to_owned);
        text.ok_or_else(|| format!("no {name} in {body}"))
    };
    Ok(SeenPair { access: text("access_token")?, refresh: text("refresh_token")? })
}
