'use strict';
// Counts what the test run did, and fails where a test was skipped for want of a Debian package that
// .ci/run installs (such a test is named "… (needs mosquitto)").
const results = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'));
const tests = results.testResults.flatMap((file) => file.assertionResults);
const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');
for (const test of skipped) console.log(`skipped: ${test.fullName}`);
const wanting = skipped.filter((test) => /\(needs [a-z]/.test(test.fullName));
if (wanting.length > 0) console.log(`${wanting.length} skipped for want of a package`);
const failed =
  results.numFailedTests +
  results.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
    .length +
  wanting.length;
const failures = Math.max(failed, results.success ? 0 : 1);
console.log(`${results.numPassedTests} passed, ${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
