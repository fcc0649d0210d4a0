import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { marked } from './yaml.ts';

describe('marked', () => {
  it('marks keys and whole-line comments and keeps every space', () => {
    assert.equal(
      marked('db:\n  image: postgres:18\n  # why'),
      '<span class="key">db:</span>\n  <span class="key">image:</span> postgres:18\n  <span class="comment"># why</span>',
    );
  });

  it('marks merge keys and leaves values with colons whole', () => {
    assert.equal(marked('  <<: *hardened'), '  <span class="key">&lt;&lt;:</span> *hardened');
    assert.equal(marked('  - a:/b'), '  - a:/b');
  });

  it('lets no markup through', () => {
    assert.equal(
      marked('test: "a <b> & c"'),
      '<span class="key">test:</span> &quot;a &lt;b&gt; &amp; c&quot;',
    );
  });
});
