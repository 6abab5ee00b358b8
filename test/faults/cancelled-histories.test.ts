import { readRecorded, replay } from '../support/recorded-histories';

test('a workflow that runs now can be cancelled after any step of every recorded history', async () => {
  const recorded = await readRecorded();
  const cancelled = recorded.flatMap(({ ending, history }) =>
    cancelledAfterEachTask(history).map((cut, index) => ({ workflowId: `${ending}, task ${index + 1}`, history: cut })),
  );
  expect(await replay(cancelled)).toEqual([]);
  expect(cancelled.length).toBeGreaterThan(recorded.length);
});

interface HistoryEvent {
  eventType: string;
  eventTime: unknown;
}

/** The same history up to the end of each of its workflow tasks, where somebody presses Cancel and the next task begins. */
const cancelledAfterEachTask = (history: unknown): { events: object[] }[] => {
  const { events } = history as { events: HistoryEvent[] };
  const [, scheduled, started] = events as unknown as Record<string, object>[];
  return events.flatMap(({ eventType }, index) => {
    if (eventType !== 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED') return [];
    const end = events.findIndex((event, at) => at > index && !commandEvents.test(event.eventType));
    const next = events[end];
    if (next === undefined) return [];
    const event = (after: number, kind: string, attributes: object): object => ({
      eventId: String(end + after),
      eventTime: next.eventTime,
      eventType: `EVENT_TYPE_${kind}`,
      ...attributes,
    });
    return {
      events: [
        ...events.slice(0, end),
        event(1, 'WORKFLOW_EXECUTION_CANCEL_REQUESTED', { workflowExecutionCancelRequestedEventAttributes: { cause: '' } }),
        event(2, 'WORKFLOW_TASK_SCHEDULED', { workflowTaskScheduledEventAttributes: scheduled?.workflowTaskScheduledEventAttributes }),
        event(3, 'WORKFLOW_TASK_STARTED', {
          workflowTaskStartedEventAttributes: { ...started?.workflowTaskStartedEventAttributes, scheduledEventId: String(end + 2) },
        }),
      ],
    };
  });
};

/** What a workflow task leaves behind itself. */
const commandEvents = /MARKER|TIMER_STARTED|TIMER_CANCELED|ACTIVITY_TASK_SCHEDULED|UPSERT|INITIATED/;
