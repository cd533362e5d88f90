/** What the server says of the table before it is made, and which tables were made before. */
import { api, events } from "../api.js";
import { follow } from "../plan.js";
import { signal, useEffect, useState } from "../preact.js";
import { chosenStyles } from "../wish.js";
import { base, grid } from "./axes.js";

const WAIT = 250; // ms after the last change
const SHOWN = 8;

/** `plan` of the whole table, or `error`: why it cannot be made. */
export const tablePlan = signal({ plan: null, error: null });

async function ask(body, stop) {
  try {
    tablePlan.value = { plan: await api.plan(body, stop), error: null };
  } catch (error) {
    if (!stop.aborted && error.status) tablePlan.value = { plan: null, error };
  }
}

/** Asked anew when anything changes, while the page is open. */
export function useTablePlan() {
  useEffect(() => follow(() => grid.value && { request: base.value, styles: chosenStyles.value, grid: grid.value }, WAIT, ask), []);
}

/** Jobs with a table, newest first. */
export function useEarlier() {
  const [jobs, setJobs] = useState([]);
  useEffect(() => {
    const ask = () => api.jobs({ limit: 200 }).then(
      ({ jobs: all }) => setJobs(all.filter((job) => job.grid).sort((a, b) => (a.created < b.created ? 1 : -1)).slice(0, SHOWN)),
      () => {},
    );
    const changed = ({ detail }) => { if (detail.job.grid) ask(); };
    ask();
    events.addEventListener("job", changed);
    events.addEventListener("open", ask);
    return () => {
      events.removeEventListener("job", changed);
      events.removeEventListener("open", ask);
    };
  }, []);
  return jobs;
}
