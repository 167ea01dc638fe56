// Package schedule reads the expressions that say when a command repeats, and tells their times.
// The server uses it to refuse what is malformed, the agent to know when to run next.
//
//   - rate(5m) runs at a fixed interval, counted from the creation of the task.
//   - at(2026-01-31 10:00:00 Europe/Berlin) runs once.
//   - 0 30 9 ? * MON-FRI runs when the clocks of a zone match: seconds, minutes, hours, days of the
//     month, months, days of the week, then perhaps years, then perhaps the zone.
//
// docs/schedules.md is the language in the words of its users.
//
// # Clocks and instants
//
// A cron expression speaks of what a clock on a wall shows, while runs happen at instants. The two
// agree but for the days on which a zone changes its offset. The times of an expression are, for each
// reading of the clock that matches, the first instant at which the clocks of the zone show it. So a
// reading that is jumped over has no run, and one that is shown twice has one (rule EX-11).
//
// The search follows this definition. It goes through the stretches of time in which the zone keeps one
// offset. Within a stretch the clock runs evenly, so the search there is one over dates and then times
// of day, each field jumping to its next value. No year before 1970 or after 2099 matches, which bounds
// the work for expressions that never do.
//
// # Purity
//
// The package has no clock and no state. Naming a zone of the time zone database makes Parse load it as
// [time.LoadLocation] does, so programs for machines that may lack the database import time/tzdata.
package schedule
