//! How much of a processor a process has used.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The CPU time of all threads that a process has, in nanoseconds' resolution; `None` where the
/// system does not tell it (it takes Linux with `schedstat`). Other processes on the same cores
/// disturb it far less than they disturb a clock on the wall.
pub fn cpu_time(process: u32) -> Option<Duration> {
    let tasks = fs::read_dir(Path::new("/proc").join(process.to_string()).join("task")).ok()?;
    let mut nanoseconds = 0;
    for task in tasks {
        let stat = fs::read_to_string(task.ok()?.path().join("schedstat"));
        // A thread may end while the folder is read.
        let Ok(stat) = stat else { continue };
        nanoseconds += stat.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_sleep_is_not() {
        let Some(before) = cpu_time(std::process::id()) else { return };
        let mut sum = 0_u64;
        while cpu_time(std::process::id()).unwrap() < before + Duration::from_millis(30) {
            sum = (0..1000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(cpu_time(std::process::id()).unwrap() >= before + Duration::from_millis(30));
    }

    #[test]
    fn a_process_that_is_not_there_has_none() {
        assert_eq!(cpu_time(u32::MAX), None);
    }
}
