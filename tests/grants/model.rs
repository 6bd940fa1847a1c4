//! What is promised of a grant, from the request to the end of the session, as a small machine.
//!
//! It knows nothing of the code that it judges: no rows, no seals, no storage calls. Where a fault
//! or a race leaves open how a step ended, it names every ending that keeps the promises
//! (RFC 6749, RFC 9700 sections 2.1.1 and 4.14, RFC 7009; docs/threats.md).

use std::collections::BTreeSet;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a consent page is good, and again the sign-in that it allowed.
const FLOW: u64 = 10 * MINUTE;
/// How long a code of the identity provider is good.
const UPSTREAM_CODE: u64 = MINUTE;
/// How long a code of ours is good.
const CODE: u64 = MINUTE;
/// For how long the answer to a refresh may be asked for once more.
const GRACE: u64 = MINUTE;
const ACCESS: u64 = HOUR;
/// How long a session lives that is not renewed, and how long one lives at most.
const IDLE: u64 = 14 * DAY;
const SESSION: u64 = 30 * DAY;

/// What somebody does. Clients, browsers and users have numbers; so have requests, sign-ins (each
/// is one grant) and the pairs of tokens of a grant, in the order in which they came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// A client sends a browser with an authorization request.
    Authorize {
        client: usize,
        browser: usize,
    },
    /// A browser opens the consent page of a request.
    Look {
        request: usize,
        browser: usize,
    },
    /// A browser sends the consent form of a request.
    Decide {
        request: usize,
        browser: usize,
        allow: bool,
    },
    /// At the identity provider, a user signs in, or nobody does.
    SignIn {
        sign_in: usize,
        user: Option<usize>,
    },
    /// A browser comes back from the identity provider.
    Callback {
        sign_in: usize,
        browser: usize,
    },
    /// A client trades a code.
    Redeem {
        sign_in: usize,
        client: usize,
        verifier_is_right: bool,
    },
    /// A client renews a session.
    Refresh {
        sign_in: usize,
        pair: usize,
        client: usize,
    },
    /// A client gives a refresh token back.
    RevokeRefresh {
        sign_in: usize,
        pair: usize,
        client: usize,
    },
    /// A client gives an access token back.
    RevokeAccess {
        sign_in: usize,
        pair: usize,
        client: usize,
    },
    /// A user ends all sessions on the account page.
    RevokeAll {
        user: usize,
    },
    /// A client calls a tool.
    Call {
        sign_in: usize,
        pair: usize,
    },
    /// Somebody presents a token as what it is not, or a changed one.
    Misuse {
        purpose: Purpose,
    },
    /// Time passes.
    Wait {
        seconds: u64,
    },
    /// The organisation disables a user, or enables one again.
    Disable {
        user: usize,
    },
    Enable {
        user: usize,
    },
}

/// What a token is presented as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    Access,
    Code,
    Refresh,
}

/// How a step is answered.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Answer {
    /// The browser goes to the consent page.
    ToConsent,
    /// The browser sees the consent page.
    Shown,
    /// The browser goes to the identity provider.
    ToSignIn,
    /// The browser takes a code to the client.
    Code,
    /// The browser takes an error code to the client.
    SentBack(&'static str),
    /// The user sees a page that says why it does not go on: 400, or 403 for another browser.
    Unusable,
    Forbidden,
    /// The client gets the pair of tokens after the one that it presented, always the same one;
    /// the first one for a code.
    Tokens,
    /// The client gets `invalid_grant`.
    InvalidGrant,
    /// The client's revocation is confirmed, whatever it changed.
    Revoked,
    /// The client is to try again: 503.
    TryAgain,
    /// The tool answers.
    Served,
    /// The tool does not: 401.
    NotLetIn,
    /// Nobody got an answer.
    Nothing,
    /// What happened is no request of ours.
    Done,
}

/// What befalls a step.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Accident {
    None,
    /// The identity provider asks for patience.
    UpstreamAway,
    /// Everything is done, and the answer does not arrive.
    AnswerLost,
    /// The browser keeps the cookie of a sign-in that is finished.
    CookiesKept,
    /// The client goes away in the middle.
    ClientGone,
    /// A call of storage fails; it may have been carried out.
    StoreFailed,
    /// The process ends in the middle, before or after a call of storage.
    ProcessDied,
}

/// Everything that promises depend on.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct State {
    now: u64,
    disabled: BTreeSet<usize>,
    requests: Vec<Request>,
    sign_ins: Vec<SignIn>,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Request {
    client: usize,
    browser: usize,
    asked_at: u64,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct SignIn {
    client: usize,
    browser: usize,
    allowed_at: u64,
    /// The browser has the cookie that permits the callback.
    carried: bool,
    upstream: Upstream,
    grant: Option<Grant>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Upstream {
    Nobody,
    Declined,
    Code { user: usize, ends_at: u64 },
    Redeemed,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Grant {
    user: usize,
    ends_at: u64,
    code_ends_at: u64,
    over: bool,
    pairs: Vec<Pair>,
    /// Until when the last answer may be asked for again; nothing before the first one.
    repeatable_until: Option<u64>,
    access_revoked: bool,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Pair {
    access_ends_at: u64,
    refresh_ends_at: u64,
}

impl State {
    /// Every way in which `operation` may end, if `accident` befalls it.
    pub(crate) fn outcomes(&self, operation: Operation, accident: Accident) -> Vec<(Answer, Self)> {
        let away = accident == Accident::UpstreamAway;
        let (answer, done) = self.after(operation, away);
        let undone = self.undone(&done);
        match accident {
            Accident::CookiesKept if matches!(operation, Operation::Callback { .. }) => {
                vec![(answer, done)]
            }
            Accident::None | Accident::CookiesKept | Accident::UpstreamAway => {
                vec![delivered(operation, answer, done)]
            }
            Accident::AnswerLost => vec![(Answer::Nothing, done)],
            Accident::ClientGone if operation.is_finished_alone() => vec![(Answer::Nothing, done)],
            Accident::ClientGone | Accident::ProcessDied => {
                let endings = self.halfway(operation).into_iter().chain([done, undone]);
                endings.map(|state| (Answer::Nothing, state)).collect()
            }
            Accident::StoreFailed => {
                let failure = operation.failure();
                let halfway = self.halfway(operation).into_iter().map(|state| (failure, state));
                // The fault may be noticed by nobody, as that of a clean-up.
                let endings = [(answer, done.clone()), (failure, done), (failure, undone)];
                let endings = endings.into_iter().chain(halfway);
                endings.map(|(answer, state)| delivered(operation, answer, state)).collect()
            }
        }
    }

    /// Every way in which two operations may end that are at work at once: as if one came after
    /// the other, or the second noticed that the first was faster.
    pub(crate) fn race(&self, pair: [Operation; 2]) -> Vec<([Answer; 2], Self)> {
        let mut endings = Vec::new();
        for first in [0, 1] {
            let (one, two) = (pair[first], pair[1 - first]);
            let (answer, between) = self.after(one, false);
            let (next_answer, after) = between.after(two, false);
            let late = self.overtaken(one, two, &between);
            for (other, state) in [(next_answer, after)].into_iter().chain(late) {
                let answers = if first == 0 { [answer, other] } else { [other, answer] };
                let (_, state) = delivered(pair[0], answers[0], state);
                let (_, state) = delivered(pair[1], answers[1], state);
                endings.push((answers, state));
            }
        }
        endings
    }

    /// Whether this access token is good.
    pub(crate) fn accepts(&self, sign_in: usize, pair: usize) -> bool {
        self.grant(sign_in).is_some_and(|grant| {
            let newest = pair + 1 == grant.pairs.len();
            let in_time = grant.pairs.get(pair).is_some_and(|pair| self.now < pair.access_ends_at);
            !grant.over && newest && in_time && !grant.access_revoked
        })
    }

    /// Whether the time of this access token is over.
    pub(crate) fn is_expired(&self, sign_in: usize, pair: usize) -> bool {
        let pair = self.grant(sign_in).and_then(|grant| grant.pairs.get(pair));
        pair.is_none_or(|pair| pair.access_ends_at <= self.now)
    }

    /// The grants alone: what storage may be written for.
    pub(crate) fn same_grants(&self, other: &Self) -> bool {
        let grants = |state: &Self| -> Vec<Option<Grant>> {
            state.sign_ins.iter().map(|sign_in| sign_in.grant.clone()).collect()
        };
        grants(self) == grants(other)
    }

    fn after(&self, operation: Operation, upstream_away: bool) -> (Answer, Self) {
        let mut next = self.clone();
        let answer = match operation {
            // None of these changes anything: nobody has signed in.
            Operation::Authorize { .. } => Answer::ToConsent,
            Operation::Look { request, browser } => self.consent(request, browser, Answer::Shown),
            Operation::Decide { request, browser, allow: true } => {
                self.consent(request, browser, Answer::ToSignIn)
            }
            Operation::Decide { request, browser, allow: false } => {
                self.consent(request, browser, Answer::SentBack("access_denied"))
            }
            Operation::Call { sign_in, pair } if self.accepts(sign_in, pair) => Answer::Served,
            Operation::Call { .. } | Operation::Misuse { purpose: Purpose::Access } => {
                Answer::NotLetIn
            }
            Operation::Misuse { .. } => Answer::InvalidGrant,
            Operation::SignIn { sign_in, user } => next.sign_in(sign_in, user),
            Operation::Callback { sign_in, browser } => {
                next.callback(sign_in, browser, upstream_away)
            }
            Operation::Redeem { sign_in, client, verifier_is_right } => {
                next.redeem(sign_in, client, verifier_is_right)
            }
            Operation::Refresh { sign_in, pair, client } => {
                next.refresh(sign_in, pair, client, upstream_away)
            }
            Operation::RevokeRefresh { sign_in, pair, client } => {
                next.revoke_refresh(sign_in, pair, client)
            }
            Operation::RevokeAccess { sign_in, pair, client } => {
                next.revoke_access(sign_in, pair, client)
            }
            Operation::RevokeAll { user } => next.revoke_all(user),
            Operation::Wait { seconds } => next.change(|state| state.now += seconds),
            Operation::Disable { user } => next.change(|state| _ = state.disabled.insert(user)),
            Operation::Enable { user } => next.change(|state| _ = state.disabled.remove(&user)),
        };
        (answer, next)
    }

    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Answer {
        change(self);
        Answer::Done
    }

    /// Only the browser that was asked may answer, and only in time.
    fn consent(&self, request: usize, browser: usize, answer: Answer) -> Answer {
        let asked = &self.requests[request];
        let may = asked.browser == browser && self.now < asked.asked_at + FLOW;
        if may { answer } else { Answer::Forbidden }
    }

    fn sign_in(&mut self, sign_in: usize, user: Option<usize>) -> Answer {
        let ends_at = self.now + UPSTREAM_CODE;
        self.sign_ins[sign_in].upstream = match user {
            Some(user) if self.disabled.contains(&user) => return Answer::Done,
            Some(user) => Upstream::Code { user, ends_at },
            None => Upstream::Declined,
        };
        Answer::Done
    }

    /// Only the browser that allowed it comes back, once; a sign-in makes one grant.
    fn callback(&mut self, sign_in: usize, browser: usize, upstream_away: bool) -> Answer {
        let (now, disabled) = (self.now, &self.disabled);
        let sign_in = &mut self.sign_ins[sign_in];
        if !sign_in.carried || sign_in.browser != browser || sign_in.allowed_at + FLOW <= now {
            return Answer::Forbidden;
        }
        let user = match sign_in.upstream {
            Upstream::Declined => return Answer::SentBack("access_denied"),
            _ if upstream_away => return Answer::SentBack("temporarily_unavailable"),
            Upstream::Code { user, ends_at } if now < ends_at => user,
            _ => return Answer::SentBack("server_error"),
        };
        sign_in.upstream = Upstream::Redeemed;
        if disabled.contains(&user) {
            return Answer::SentBack("server_error");
        }
        if sign_in.grant.is_some() {
            return Answer::Unusable;
        }
        sign_in.grant = Some(Grant {
            user,
            ends_at: sign_in.allowed_at + SESSION,
            code_ends_at: now + CODE,
            over: false,
            pairs: Vec::new(),
            repeatable_until: None,
            access_revoked: false,
        });
        Answer::Code
    }

    /// A code is its client's, works once, and its second use ends the session.
    fn redeem(&mut self, sign_in: usize, client: usize, verifier_is_right: bool) -> Answer {
        let owner = self.sign_ins[sign_in].client == client && verifier_is_right;
        let now = self.now;
        match self.living(sign_in) {
            Some(grant) if owner && now < grant.code_ends_at => {
                if grant.pairs.is_empty() {
                    grant.issue(now)
                } else {
                    grant.end()
                }
            }
            _ => Answer::InvalidGrant,
        }
    }

    /// A refresh token works once; for a minute its answer is repeated to whoever asks with it;
    /// whatever comes after that is a thief's or meets one, and ends the session.
    fn refresh(&mut self, sign_in: usize, pair: usize, client: usize, away: bool) -> Answer {
        let (now, owner) = (self.now, self.sign_ins[sign_in].client == client);
        let disabled = self.disabled.clone();
        let Some(grant) = self.living(sign_in) else {
            return Answer::InvalidGrant;
        };
        if grant.pairs.get(pair).is_none_or(|pair| pair.refresh_ends_at <= now) {
            return Answer::InvalidGrant;
        }
        let age = grant.pairs.len() - 1 - pair;
        match (age, grant.repeatable_until) {
            (0, _) | (1, Some(_)) if !owner => Answer::InvalidGrant,
            (0, _) if away => Answer::TryAgain,
            (0, _) if disabled.contains(&grant.user) => grant.end(),
            (0, _) => {
                let answer = grant.issue(now);
                grant.repeatable_until = Some(now + GRACE);
                answer
            }
            (1, Some(until)) if now < until => Answer::Tokens,
            _ => grant.end(),
        }
    }

    /// With a refresh token that could be used, the session ends.
    fn revoke_refresh(&mut self, sign_in: usize, pair: usize, client: usize) -> Answer {
        let (now, owner) = (self.now, self.sign_ins[sign_in].client == client);
        if let Some(grant) = self.living(sign_in) {
            let in_time = grant.pairs.get(pair).is_some_and(|pair| now < pair.refresh_ends_at);
            let last = grant.repeatable_until.is_some() && pair + 2 == grant.pairs.len();
            if owner && in_time && (last || pair + 1 == grant.pairs.len()) {
                grant.end();
            }
        }
        Answer::Revoked
    }

    /// Whatever clients hold of a user, it is worth nothing any more, codes included.
    fn revoke_all(&mut self, user: usize) -> Answer {
        let grants = self.sign_ins.iter_mut().filter_map(|sign_in| sign_in.grant.as_mut());
        grants.filter(|grant| grant.user == user).for_each(|grant| _ = grant.end());
        Answer::Revoked
    }

    fn revoke_access(&mut self, sign_in: usize, pair: usize, client: usize) -> Answer {
        if self.accepts(sign_in, pair) && self.sign_ins[sign_in].client == client {
            self.living(sign_in).unwrap().access_revoked = true;
        }
        Answer::Revoked
    }

    /// The state after an operation that was cut off before it changed a grant. What the identity
    /// provider did stays done.
    fn undone(&self, done: &Self) -> Self {
        let mut undone = self.clone();
        for (sign_in, done) in undone.sign_ins.iter_mut().zip(&done.sign_ins) {
            sign_in.upstream = done.upstream;
        }
        undone
    }

    /// The states in which only some of the grants have ended that `operation` ends.
    fn halfway(&self, operation: Operation) -> Vec<Self> {
        let Operation::RevokeAll { user } = operation else {
            return Vec::new();
        };
        let mut states = vec![self.clone()];
        for (number, sign_in) in self.sign_ins.iter().enumerate() {
            if sign_in.grant.as_ref().is_some_and(|grant| grant.user == user && !grant.over) {
                for mut state in states.clone() {
                    state.living(number).unwrap().end();
                    states.push(state);
                }
            }
        }
        states
    }

    /// How `late` ends where `first` was faster and changed what `late` had seen.
    fn overtaken(
        &self,
        first: Operation,
        late: Operation,
        between: &Self,
    ) -> Option<(Answer, Self)> {
        if self.same_grants(between) {
            return None;
        }
        let mut after = between.clone();
        let answer = match (first, late) {
            (_, Operation::Redeem { .. }) => Answer::InvalidGrant,
            // Both have the same token, and the first renewed with it: both get its answer.
            (Operation::Refresh { .. }, Operation::Refresh { sign_in, pair, .. })
                if first == late && between.renewed_with(sign_in, pair, self) =>
            {
                Answer::Tokens
            }
            (_, Operation::Refresh { .. } | Operation::RevokeAccess { .. }) => Answer::TryAgain,
            // The token was good when it was looked at, so the session ends.
            (_, Operation::RevokeRefresh { sign_in, .. }) => {
                let (answer, alone) = self.after(late, false);
                after.sign_ins[sign_in].grant.as_mut()?.over |= alone.grant(sign_in)?.over;
                answer
            }
            _ => return None,
        };
        Some((answer, after))
    }

    fn renewed_with(&self, sign_in: usize, pair: usize, before: &Self) -> bool {
        let pairs = |state: &Self| state.grant(sign_in).map_or(0, |grant| grant.pairs.len());
        pairs(before) == pair + 1 && pairs(self) == pair + 2
    }

    fn grant(&self, sign_in: usize) -> Option<&Grant> {
        self.sign_ins.get(sign_in)?.grant.as_ref()
    }

    fn living(&mut self, sign_in: usize) -> Option<&mut Grant> {
        self.sign_ins[sign_in].grant.as_mut().filter(|grant| !grant.over)
    }
}

impl Grant {
    fn issue(&mut self, now: u64) -> Answer {
        self.access_revoked = false;
        self.pairs.push(Pair {
            access_ends_at: self.ends_at.min(now + ACCESS),
            refresh_ends_at: self.ends_at.min(now + IDLE),
        });
        Answer::Tokens
    }

    fn end(&mut self) -> Answer {
        self.over = true;
        Answer::InvalidGrant
    }
}

impl Operation {
    /// What is finished even if nobody waits for it: all that cannot be done a second time.
    fn is_finished_alone(self) -> bool {
        matches!(
            self,
            Self::Callback { .. }
                | Self::Redeem { .. }
                | Self::Refresh { .. }
                | Self::RevokeAll { .. }
        )
    }

    /// How it is answered where storage fails.
    fn failure(self) -> Answer {
        match self {
            Self::Callback { .. } => Answer::SentBack("temporarily_unavailable"),
            _ => Answer::TryAgain,
        }
    }
}

/// The answer arrives, and with it what the browser keeps or forgets.
fn delivered(operation: Operation, answer: Answer, mut state: State) -> (Answer, State) {
    let now = state.now;
    match (operation, answer) {
        (Operation::Authorize { client, browser }, Answer::ToConsent) => {
            state.requests.push(Request { client, browser, asked_at: now });
        }
        (Operation::Decide { request, browser, .. }, Answer::ToSignIn) => {
            let client = state.requests[request].client;
            let upstream = Upstream::Nobody;
            let (carried, allowed_at, grant) = (true, now, None);
            state.sign_ins.push(SignIn { client, browser, allowed_at, carried, upstream, grant });
        }
        (
            Operation::Callback { sign_in, .. },
            Answer::Code | Answer::SentBack(_) | Answer::Unusable,
        ) => {
            state.sign_ins[sign_in].carried = false;
        }
        _ => {}
    }
    (answer, state)
}
