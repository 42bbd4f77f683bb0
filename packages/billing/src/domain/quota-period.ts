import type { QuotaPeriod } from "./free-quota.ts";

const dayMs = 86_400_000;

/** The period that an instant lies in, in UTC: from `startMs`, inclusive, to `endMs`, exclusive. */
export type PeriodSpan = { readonly startMs: number; readonly endMs: number | undefined };

/** Days begin at midnight, weeks on Monday, months on the first; the total began in 1970 and never ends. */
export function periodAt(period: QuotaPeriod, atMs: number): PeriodSpan {
  const day = Math.floor(atMs / dayMs);
  switch (period) {
    case "DAY":
      return { startMs: day * dayMs, endMs: (day + 1) * dayMs };
    case "WEEK": {
      // 1970-01-01 was a Thursday, the fourth day of its week.
      const monday = day - ((((day + 3) % 7) + 7) % 7);
      return { startMs: monday * dayMs, endMs: (monday + 7) * dayMs };
    }
    case "MONTH":
      return monthAt(day);
    case "TOTAL":
      return { startMs: 0, endMs: undefined };
  }
}

function monthAt(day: number): PeriodSpan {
  const { year, month } = civilOf(day);
  const next = month === 12 ? { year: year + 1, month: 1 } : { year, month: month + 1 };
  return { startMs: firstDay(year, month) * dayMs, endMs: firstDay(next.year, next.month) * dayMs };
}

/** Year and month of a day since 1970, by Howard Hinnant's `civil_from_days`: no clock, no time zone. */
function civilOf(day: number): { readonly year: number; readonly month: number } {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month };
}

/** Days since 1970 of the first of a month: the inverse, `days_from_civil`. */
function firstDay(year: number, month: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5);
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
