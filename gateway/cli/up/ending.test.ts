import { describe, expect, it } from 'vitest';
import { renderDashboard, type View } from './dashboard.ts';
import { endingsIn } from './ending.ts';

const view: View = {
  title: 'hes',
  tenants: [],
  refusals: {},
  processes: { up: 2, all: 2, restarts: 0 },
  footer: 'Ctrl-C',
};

describe('what ends soon, on the dashboard', () => {
  it('is nothing while everything has time', () => {
    const endings = endingsIn({
      front: { 'certificate.days_left.server': 90, 'crl.days_left.ores': 2, 'refused.topic': 1 },
    });
    expect(endings).toEqual([]);
    expect(renderDashboard({ ...view, endings }, 100).join('\n')).not.toContain('ends soon');
  });

  it('is said once for all processes, the first to end first, and apart for what each has of its own', () => {
    const endings = endingsIn({
      front: { 'certificate.days_left.server': 20, 'certificate.days_left.root': 40 },
      'router-ores': { 'certificate.days_left.root': 40, 'crl.days_left.ores': 0 },
      'desk-ores': { 'certificate.days_left.server': -1 },
    });
    expect(renderDashboard({ ...view, endings }, 200)).toContain(
      'ends soon: server of desk-ores (over), list of ores (0 days), server of front (20 days), root (40 days)',
    );
  });
});
