//! What is known of the timer that a host has for a plugin.

/// The timer that a host has for one plugin.
///
/// It fires again and again: after each time a whole period passes, counted from the end of its
/// callback. So when it fires next is known well enough never to be thought earlier than it is by
/// more than a callback takes.
#[derive(Debug)]
pub(super) struct HostTimer {
    /// The plugin.
    pub root: u32,
    /// It may have to be set.
    pub unsettled: bool,
    /// In milliseconds; 0 while it stands still.
    period: u32,
    /// When it fires next; never while it stands still.
    fires: u64,
    /// The first time that it was set for, which is at most a millisecond earlier.
    serves: u64,
    /// It has fired since it was looked at.
    has_fired: bool,
}

const MILLISECOND: u64 = 1_000_000;

const NEVER: u64 = u64::MAX;

/// How much too early a timer may fire by the clock that a plugin reads: hosts time it with another
/// one.
const TOO_EARLY: u64 = 2 * MILLISECOND;

impl HostTimer {
    /// One that stands still.
    pub fn new(root: u32) -> Self {
        let (fires, serves) = (NEVER, NEVER);
        Self { root, unsettled: false, period: 0, fires, serves, has_fired: false }
    }

    /// Whether it has to be looked at for something that is due then; noted if so.
    pub fn is_too_late_for(&mut self, due: u64) -> bool {
        let too_late = self.period == 0 || due < self.serves;
        self.unsettled |= too_late;
        too_late
    }

    /// One of these timers has fired, and a host does not tell its callback which: those of which
    /// it can be are looked at. One that was looked at in vain was only looked at.
    pub fn fired(hosts: &mut [Self], now: u64) {
        let latest = now.saturating_add(TOO_EARLY);
        // Where none should have, a clock was set, or the host has a will of its own.
        let all = hosts.iter().all(|host| host.fires > latest);
        for host in hosts.iter_mut().filter(|host| all || host.fires <= latest) {
            host.has_fired = true;
            host.unsettled = true;
        }
    }

    /// The period that it has to be set to for what is due first, if any; `None`: it is right as it
    /// is.
    pub fn period_for(&mut self, first: Option<u64>, now: u64) -> Option<u32> {
        let fired = std::mem::take(&mut self.has_fired);
        let Some(first) = first else {
            self.serves = NEVER;
            return (self.period != 0).then_some(0);
        };
        self.serves = first;
        // Rounded up: a timer that fires too early would have to be set once more.
        let left = first.saturating_sub(now).div_ceil(MILLISECOND).max(1);
        let wanted = u32::try_from(left).unwrap_or(u32::MAX);
        if fired && self.period == wanted {
            self.fires = fires(wanted, now);
        } else if fired || self.period == 0 || fires(wanted, now) < self.fires {
            return Some(wanted);
        }
        None
    }

    /// It was set.
    pub fn was_set(&mut self, period: u32, now: u64) {
        self.period = period;
        self.fires = if period == 0 { NEVER } else { fires(period, now) };
    }
}

fn fires(period: u32, now: u64) -> u64 {
    now.saturating_add(u64::from(period).saturating_mul(MILLISECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at a timer as a callback's end does: what it was set to, if it was.
    fn settle(host: &mut HostTimer, first: Option<u64>, now: u64) -> Option<u32> {
        let period = host.period_for(first, now)?;
        host.was_set(period, now);
        Some(period)
    }

    const MS: u64 = MILLISECOND;

    #[test]
    fn it_is_set_only_when_something_is_due_before_it_fires() {
        let mut host = HostTimer::new(1);
        assert!(host.is_too_late_for(100 * MS));
        assert_eq!(settle(&mut host, Some(100 * MS), 0), Some(100));
        assert!(!host.is_too_late_for(100 * MS) && !host.is_too_late_for(u64::MAX));
        assert!(host.is_too_late_for(40 * MS));
        assert_eq!(settle(&mut host, Some(40 * MS), 10 * MS), Some(30));
        // A little earlier, and the host could not tell.
        assert!(host.is_too_late_for(40 * MS - 7));
        assert_eq!(settle(&mut host, Some(40 * MS - 7), 11 * MS), None);
        assert!(!host.is_too_late_for(40 * MS - 7));
    }

    #[test]
    fn a_period_that_goes_on_is_not_set_again() {
        let mut hosts = [HostTimer::new(1)];
        assert_eq!(settle(&mut hosts[0], Some(100 * MS), 0), Some(100));
        HostTimer::fired(&mut hosts, 100 * MS + 3);
        assert_eq!(settle(&mut hosts[0], Some(200 * MS), 100 * MS + 5), None);
        HostTimer::fired(&mut hosts, 200 * MS + 8);
        assert_eq!(settle(&mut hosts[0], Some(250 * MS), 200 * MS + 9), Some(50));
        HostTimer::fired(&mut hosts, 250 * MS + 9);
        assert_eq!(settle(&mut hosts[0], None, 0), Some(0));
        assert_eq!(settle(&mut hosts[0], None, 0), None, "it stands still already");
    }

    #[test]
    fn a_timer_that_fired_for_nothing_is_set_to_what_comes_next() {
        let mut hosts = [HostTimer::new(1)];
        assert_eq!(settle(&mut hosts[0], Some(100 * MS), 0), Some(100));
        // That was cancelled, and something else is due later.
        HostTimer::fired(&mut hosts, 100 * MS);
        assert_eq!(settle(&mut hosts[0], Some(500 * MS), 100 * MS), Some(400));
    }

    #[test]
    fn what_is_overdue_is_due_in_a_millisecond_and_the_far_future_as_late_as_can_be() {
        let mut host = HostTimer::new(1);
        assert_eq!(settle(&mut host, Some(5), 10 * MS), Some(1));
        let mut host = HostTimer::new(1);
        assert_eq!(settle(&mut host, Some(u64::MAX), 10 * MS), Some(u32::MAX));
    }

    #[test]
    fn only_the_timer_that_can_have_fired_is_looked_at() {
        let mut hosts = [HostTimer::new(1), HostTimer::new(2)];
        for (host, due) in hosts.iter_mut().zip([100 * MS, 300 * MS]) {
            settle(host, Some(due), 0);
            host.unsettled = false;
        }
        HostTimer::fired(&mut hosts, 100 * MS - 1);
        assert_eq!(hosts.each_ref().map(|host| host.unsettled), [true, false]);
        hosts[0].unsettled = false;
        // Nothing should have fired yet: any of them may have.
        HostTimer::fired(&mut hosts, 50 * MS);
        assert_eq!(hosts.each_ref().map(|host| host.unsettled), [true, true]);
    }
}
