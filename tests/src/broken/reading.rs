//! Reading from a broken store, and the rest of the port of events.

use std::ops::ControlFlow;

use es_core::{
    AppendError, Appended, ChainLink, Commit, Direction, DynProjectionStore, EventId, EventStore,
    ImmediateAppend, ImmediateRead, InPlaceAppend, Page, Position, Query, QueryPage, QueryRange,
    ReadError, Recorded, RecordedEvent, StoreFailure, StreamId, StreamPage, StreamRange,
    StreamVisit, Version,
};

use crate::broken::bug::Bug;
use crate::broken::inline::Way;
use crate::broken::log::stream_as_written;
use crate::broken::{BrokenStore, lock};

impl BrokenStore {
    fn page<'a>(
        &self,
        wanted: Vec<&'a RecordedEvent>,
        direction: Direction,
        limit: usize,
    ) -> (Page, Option<&'a RecordedEvent>) {
        let limit = match self.bug {
            Some(Bug::LimitIgnored) if limit > 0 => limit.saturating_add(1),
            Some(Bug::LimitZeroIsAll) if limit == 0 => usize::MAX,
            Some(Bug::EmptyPageWithMore) if limit == 1 => 0,
            _ => limit,
        };
        let mut wanted = wanted;
        if self.has(Bug::BackwardCutFirst) {
            wanted.truncate(limit);
        }
        if direction == Direction::Backward {
            wanted.reverse();
        }
        let page = wanted.iter().take(limit).map(|event| event.as_recorded()).collect();
        (page, wanted.get(limit).copied())
    }
}

impl EventStore for BrokenStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.append_guarded(commit, &[], Way::Alone).await
    }

    async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
        let head_before = *self.head.borrow();
        let before = lock(&self.log).events.len();
        if commits.is_empty() && self.has(Bug::ChainOfNothingAnswered) {
            let failure = StoreFailure::new("there is nothing to append");
            return vec![Err(AppendError::Permanent(failure))];
        }
        let most = if self.has(Bug::LongChainCut) { 256 } else { usize::MAX };
        let mut answers = Vec::with_capacity(commits.len());
        let mut link = ChainLink::default();
        for commit in commits.iter().take(most) {
            let linked = if self.has(Bug::ChainWithoutLink) { Ok(()) } else { link.check(commit) };
            let answer = match linked {
                Ok(()) => self.append_guarded(commit, &[], Way::Chained).await,
                Err(conflict) => Err(conflict.into()),
            };
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            let refused = answer.is_err();
            answers.push(answer);
            if refused {
                match self.bug {
                    Some(Bug::ChainGoesOn) => {}
                    Some(Bug::ChainAnswersAll) => {
                        while answers.len() < commits.len() {
                            let failure = StoreFailure::new("not tried");
                            answers.push(Err(AppendError::Transient(failure)));
                        }
                        break;
                    }
                    Some(Bug::ChainRolledBack) => {
                        let mut log = lock(&self.log);
                        for event in log.events.split_off(before) {
                            log.by_id.remove(&event.event_id);
                        }
                        break;
                    }
                    _ => break,
                }
            }
        }
        let last = answers.iter().rev().find_map(|answer| Some(answer.as_ref().ok()?.version));
        for appended in answers.iter_mut().flatten() {
            match (self.bug, last) {
                (Some(Bug::ChainAnsweredWithLast), Some(last)) => appended.version = last,
                (Some(Bug::ChainAnswersTooFew), _) => appended.more_versions.clear(),
                _ => {}
            }
        }
        if self.has(Bug::NewsOfChainsMissed) {
            self.head.send_replace(head_before);
        }
        answers
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let log = lock(&self.log);
        let asked = stream_as_written(self.bug, stream);
        let is_of = |event: &RecordedEvent| match self.bug {
            Some(Bug::StreamByPrefix) => event.stream.as_str().starts_with(asked.as_str()),
            _ => event.stream == asked,
        };
        if self.has(Bug::MissingStreamIsAnError) && !log.events.iter().any(is_of) {
            let missing = format!("there is no stream {stream}");
            return Err(ReadError::Permanent(StoreFailure::new(missing)));
        }
        let from = if self.has(Bug::FromExcluded) { range.from.next() } else { range.from };
        let wanted: Vec<_> = log
            .events
            .iter()
            .filter(|event| is_of(event) && event.version >= from)
            .filter(|event| {
                event.version < range.to || event.version == range.to && !self.has(Bug::ToExcluded)
            })
            .collect();
        let version = if self.has(Bug::VersionOfRange) {
            wanted.last().map_or(Version::ZERO, |last| last.version)
        } else {
            log.version(stream)
        };
        let (events, next) = self.page(wanted, range.direction, range.limit);
        let next = next.map(|event| event.version);
        let next = if self.has(Bug::NextMissing) { None } else { next };
        Ok(StreamPage { events, version, next })
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let mut page = {
            let log = lock(&self.log);
            let mut wanted: Vec<_> = log
                .events
                .iter()
                .filter(|event| {
                    event.position > range.after
                        || event.position == range.after && self.has(Bug::AfterIncluded)
                })
                .filter(|event| {
                    event.position < range.up_to
                        || event.position == range.up_to && !self.has(Bug::UpToExcluded)
                })
                .filter(|event| log.matches(query, event))
                .collect();
            if self.has(Bug::EventOfTwoItemsTwice) {
                let times = |event: &RecordedEvent| {
                    query
                        .items()
                        .iter()
                        .filter(|item| item.matches(&event.name, event.tags.as_slice()))
                        .count()
                };
                wanted = wanted
                    .into_iter()
                    .flat_map(|event| std::iter::repeat_n(event, times(event)))
                    .collect();
            }
            let head = if self.has(Bug::HeadOfRange) {
                wanted.last().map_or(Position::ZERO, |last| last.position)
            } else {
                log.head()
            };
            let (events, next) = self.page(wanted, range.direction, range.limit);
            QueryPage { events, head, more: next.is_some() }
        };
        match self.bug {
            Some(Bug::ReadNotSnapshot) => {
                tokio::task::yield_now().await;
                page.head = lock(&self.log).head();
            }
            Some(Bug::TokenIsHead) => page.more = false,
            Some(Bug::MoreThoughThereIsNone) => page.more |= page.events.len() == range.limit,
            _ => {}
        }
        Ok(page)
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        let log = lock(&self.log);
        if self.has(Bug::StaleFind) && log.stale_id == Some(event_id) {
            return Ok(None);
        }
        if self.has(Bug::IdOfZerosIsNone) && event_id.as_uuid().is_nil() {
            return Ok(None);
        }
        Ok(log.find(event_id).cloned())
    }

    async fn head(&self) -> Result<Position, ReadError> {
        let log = lock(&self.log);
        Ok(match self.bug {
            Some(Bug::StaleHead) => log.stale_head,
            Some(Bug::EmptyStoreHasAHead) => log.head().max(Position::new(1)),
            _ => log.head(),
        })
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        match self.bug {
            Some(Bug::NewsIsTheNextPosition) => {
                let mut head = self.head.subscribe();
                _ = head.wait_for(|head| *head > position).await;
                return Ok(position.next());
            }
            Some(Bug::NewsTooEarly) => return Ok(lock(&self.log).head()),
            Some(Bug::NewsMissed) => {
                // Looks once, and hears of nothing later.
                let head = lock(&self.log).head();
                return if head > position { Ok(head) } else { std::future::pending().await };
            }
            Some(Bug::NewsOnlyForNext) => {
                // Whatever is new is taken for what was waited for.
                let mut news = self.head.subscribe();
                let head = lock(&self.log).head();
                if head > position {
                    return Ok(head);
                }
                _ = news.changed().await;
                return Ok(lock(&self.log).head());
            }
            Some(Bug::NewsForOneOnly) if self.head.receiver_count() > 0 => {
                let head = lock(&self.log).head();
                return if head > position { Ok(head) } else { std::future::pending().await };
            }
            _ => {}
        }
        let mut head = self.head.subscribe();
        let news = head.wait_for(|head| *head > position).await;
        Ok(news.map_or(position, |head| *head))
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        if self.has(Bug::ProjectionStoreHidden) { None } else { Some(self) }
    }

    fn immediate_read(&self) -> Option<&dyn ImmediateRead> {
        match self.bug {
            None | Some(Bug::ShownFromTheBeginning | Bug::BreakIsTheEnd | Bug::ShownLater) => {
                Some(self)
            }
            // It would go round the bug.
            Some(_) => None,
        }
    }

    fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        match self.bug {
            None | Some(Bug::InlineNotInPlace | Bug::FenceNotInPlace) => Some(self),
            // It would go round the bug.
            Some(_) => None,
        }
    }

    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        match self.bug {
            None
            | Some(
                Bug::ImmediateVersionsNotChecked
                | Bug::ImmediateDuplicateOnRetry
                | Bug::ImmediateNewsMissed
                | Bug::ImmediateAnswersTooFew
                | Bug::InlineNotAtOnce
                | Bug::FenceNotAtOnce,
            ) => Some(self),
            // It would go round the bug.
            Some(_) => None,
        }
    }
}

impl ImmediateRead for BrokenStore {
    fn visit_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
        visit: &mut dyn FnMut(&Recorded<'_>) -> ControlFlow<()>,
    ) -> Result<StreamVisit, ReadError> {
        let log = lock(&self.log);
        let from_the_beginning = self.has(Bug::ShownFromTheBeginning);
        let later = if self.has(Bug::ShownLater) { log.stale_id } else { None };
        let wanted = log.events.iter().filter(|event| event.stream == *stream).filter(|event| {
            (from_the_beginning || event.version >= range.from) && event.version <= range.to
        });
        let mut wanted: Vec<_> = wanted.filter(|event| later != Some(event.event_id)).collect();
        if range.direction == Direction::Backward {
            wanted.reverse();
        }
        let mut shown = 0;
        for event in wanted.iter().take(range.limit) {
            shown += 1;
            if visit(&event.as_recorded()).is_break() {
                if self.has(Bug::BreakIsTheEnd) {
                    shown = wanted.len();
                }
                break;
            }
        }
        let next = wanted.get(shown).map(|event| event.version);
        Ok(StreamVisit { version: log.version(stream), next })
    }
}
