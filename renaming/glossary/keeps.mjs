/** Words of the old kind: what still has one after the renaming is listed, so that a person decides. */
export const suspects = [
  /[yY]ard(s|[A-Z]|$)/,
  /^looks?([A-Z]|$)|Looks?([A-Z]|$)|^looked$|^looking$|Looked([A-Z]|$)/,
  /^tells?([A-Z]|$)|^told|Told([A-Z]|$)|^said|Said([A-Z]|$)/,
  /^mends?([A-Z]|$)|Mend([A-Z]|$)/,
  /[lL]oose/,
  /^words?([A-Z]|$)|Words?([A-Z]|$)/,
  /[tT]urnstile|[dD]esk([A-Z]|$)|[nN]eglected/,
  /Seen([A-Z]|$)/,
  /^note[A-Z]/,
  /WayBack|TurnBack|^turnBack/,
  /^(strikes?|Strikes?|striking|struckAt|ground|Ground|play|Play|played|Played|news|moods?|Mood|lanes?|Lane)$/,
  /[hH]eard([A-Z]|$)|^polite/,
];

/** Those that stay, and why. */
export const keeps = new Set([
  // Workflows, activities and what is named after them.
  'lookAtDestination', 'LookAtDestinationInput', 'LookAtDestinationResult', 'makeLookAtDestinationId', 'lookAtDrain', 'lookBeforeRecycle', 'lookAtCancel',
  'tellJob', 'noteDeployWord', 'noteDeployFailure', 'noteUnconfirmed', 'noteResumed',
  // Data of workflows: recorded histories have these names.
  'drainLookFirstMs', 'drainLookMaxMs',
  // REST.
  'lookAt', 'lookedUp', 'words', 'seenAt',
  // zod, Jest's environment, settings.
  'looseObject', 'looseSchema',
  // Plain English that reads well: a look-up, what looks immutable, what was first seen.
  'lookUpRoute', 'lookUpsOf', 'looksImmutable', 'isFirstSeen', 'hasSeenEnd', 'lastSeenAt', 'seenBefore',
  'word', 'noteSchema', 'noteLengthMax', 'couldBeHeard', 'areHeard', 'play', 'lane', 'lanes', 'heard', 'inWords',
  // The field `words` of a command, a finding of the sweep, zod's loose objects.
  'wordsOf', 'loose_attempt_ended', 'loose',
]);

/** The same in comments. */
export const suspectPhrases = [
  /\b[yY]ards?\b/,
  /\bmend(s|ed|ing)?\b/i,
  /\b(turnstile|neglected)\b/i,
  /\bloose attempts?\b/i,
  /\b(a|one|each|every|the|our|this|two|last|first|second) looks?\b(?! (like|at whether))/i,
  /\b(person|people)'s words?\b/,
];
export const keptPhrases = ['look-up', 'looks alive again', 'look like', 'Each looks at'];
