import { html } from 'hono/html';
import { icon } from './mark.ts';
import type { Markup } from './markup.ts';
import { words } from './words.ts';

export type Meaning = 'good' | 'warning' | 'danger' | 'information';

export type Field = {
  /** The name on the wire; also the element's id unless `id` says otherwise. */
  name: string;
  id?: string;
  label: string;
  type?: 'text' | 'email' | 'password' | 'number';
  value?: string | undefined;
  autocomplete?: string;
  hint?: string;
  /** Why the value was refused; the field is marked and the words are read with it. */
  problem?: string | undefined;
  required?: boolean;
  readonly?: boolean;
  autofocus?: boolean;
  maxlength?: number;
  /** For ids, tokens and hosts. */
  mono?: boolean;
};

/** A labelled input with its hint and its problem. */
export function field(given: Field): Markup {
  const id = given.id ?? given.name;
  // The problem says all that the hint says, and more.
  const hint = given.problem ? undefined : given.hint;
  const described = given.problem ? `${id}-problem` : hint && `${id}-hint`;
  return html`<div class="field">
    <label for="${id}"
      >${given.label}${given.required === false ? html` <span class="quiet">(${words.optional})</span>` : ''}</label
    >
    <input
      id="${id}"
      name="${given.name}"
      type="${given.type ?? 'text'}"
      ${attribute('value', given.type === 'password' ? undefined : given.value)}
      ${attribute('autocomplete', given.autocomplete)}
      ${attribute('maxlength', given.maxlength)}
      ${attribute('aria-describedby', described)}
      ${attribute('class', given.mono ? 'mono' : undefined)}
      ${given.problem ? html`aria-invalid="true"` : ''}
      ${given.required === false ? '' : html`required`}
      ${given.readonly ? html`readonly` : ''}
      ${given.autofocus ? html`autofocus` : ''}
      ${given.type === 'email' || given.mono ? html`autocapitalize="none" spellcheck="false"` : ''}
    />
    ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : ''}
    ${given.problem ? html`<p class="problem" id="${id}-problem">${icon('danger')}${given.problem}</p>` : ''}
  </div>`;
}

export type Option = { value: string; label: string };

/** A labelled choice of one. */
export function choice(given: {
  name: string;
  label: string;
  options: Option[];
  value?: string | undefined;
  hint?: string;
}): Markup {
  return html`<div class="field">
    <label for="${given.name}">${given.label}</label>
    <select
      id="${given.name}"
      name="${given.name}"
      ${attribute('aria-describedby', given.hint && `${given.name}-hint`)}
    >
      ${given.options.map(
        ({ value, label }) =>
          html`<option value="${value}" ${value === given.value ? html`selected` : ''}>${label}</option>`,
      )}
    </select>
    ${given.hint ? html`<p class="hint" id="${given.name}-hint">${given.hint}</p>` : ''}
  </div>`;
}

/** A box to tick, with the name of what it gives. Each has a name of its own: a form repeats none. */
export function checkbox(given: { name: string; label: string; code?: string; checked?: boolean }): Markup {
  const describedBy = given.code && `${given.name}-code`;
  return html`<div class="check">
    <input
      type="checkbox"
      id="${given.name}"
      name="${given.name}"
      ${given.checked ? html`checked` : ''}
      ${attribute('aria-describedby', describedBy)}
    />
    <label for="${given.name}">${given.label}</label>
    ${given.code ? html`<code id="${given.name}-code">${given.code}</code>` : ''}
  </div>`;
}

/** A button that sends its form. One `primary` a view. */
export function button(given: {
  id?: string;
  label: string;
  kind?: 'primary' | 'secondary' | 'danger' | 'quiet';
  name?: string;
  value?: string;
  /** What the button is about, for those who hear it alone: "End the session on Firefox". */
  about?: string;
}): Markup {
  return html`<button
    type="submit"
    class="button ${given.kind ?? 'primary'}"
    ${attribute('id', given.id)}
    ${attribute('name', given.name)}
    ${attribute('value', given.value)}
    ${attribute('aria-label', given.about)}
  >
    ${given.label}
  </button>`;
}

/** Fields that the person does not see. */
export function hiddenFields(fields: Record<string, string | undefined>): Markup {
  return html`${Object.entries(fields).map(([name, value]) =>
    value === undefined ? '' : html`<input type="hidden" name="${name}" value="${value}" />`,
  )}`;
}

/** Something the person should know now. A danger is read out at once. */
export function notice(meaning: Meaning, title: string, text?: Markup | string): Markup {
  return html`<div class="notice ${meaning}" role="${meaning === 'danger' ? 'alert' : 'status'}">
    ${icon(meaning)}
    <div>
      <p class="notice-title"><span class="unseen">${words.meanings[meaning]}: </span>${title}</p>
      ${text ? html`<p>${text}</p>` : ''}
    </div>
  </div>`;
}

export function card(content: Markup, title?: string, about?: string): Markup {
  return html`<section class="card">
    ${title ? html`<h2>${title}</h2>` : ''}${about ? html`<p class="quiet">${about}</p>` : ''}${content}
  </section>`;
}

/**
 * A secret that is shown this once: masked until asked for, with a button to copy it (by script, where there is one)
 * and a line that says where to put it.
 */
export function secretOnce(given: { id: string; label: string; value: string; advice: string }): Markup {
  return html`<div class="secret">
    <p class="secret-label" id="${given.id}-label">${given.label}</p>
    <details>
      <summary>
        ${words.show}<span class="unseen"> ${given.label}</span
        ><span class="masked" aria-hidden="true">••••••••••••••••</span>
      </summary>
      <code class="secret-value" id="${given.id}" aria-labelledby="${given.id}-label">${given.value}</code>
    </details>
    <button
      type="button"
      class="button secondary"
      data-copy="${given.id}"
      data-copied="${words.copied}"
      hidden
    >
      ${words.copy}
    </button>
    <p class="hint">${given.advice}</p>
  </div>`;
}

/** Terms and what they are. */
export function definitionList(entries: readonly (readonly [string, Markup | string])[]): Markup {
  return html`<dl class="definitions">
    ${entries.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

export type TimelineStep = {
  title: string;
  /** Milliseconds since the epoch. */
  at: number;
  outcome: 'ok' | 'failed';
  checked?: string | undefined;
  /** For the failing step: how to mend it. */
  mend?: string | undefined;
};

/** The steps of an attempt, with what was checked and, where it failed, the mend beside it. */
export function timeline(steps: readonly TimelineStep[]): Markup {
  return html`<ol class="timeline">
    ${steps.map(
      (step) =>
        html`<li class="${step.outcome === 'ok' ? 'good' : 'danger'}">
          ${icon(step.outcome === 'ok' ? 'good' : 'danger')}
          <div>
            <p class="timeline-title">
              ${step.outcome === 'ok' ? '' : html`<span class="unseen">${words.meanings.danger}: </span>`}${step.title}
              ${time(step.at, 'second')}
            </p>
            ${step.checked ? html`<p class="quiet">${step.checked}</p>` : ''}
            ${step.mend ? html`<p class="mend">${step.mend}</p>` : ''}
          </div>
        </li>`,
    )}
  </ol>`;
}

/** A moment in UTC, readable by people and machines. */
export function time(milliseconds: number, precision: 'day' | 'minute' | 'second' = 'minute'): Markup {
  const iso = new Date(milliseconds).toISOString();
  const length = precision === 'day' ? 10 : precision === 'minute' ? 16 : 19;
  const shown = iso.slice(0, length).replace('T', ' ');
  return html`<time datetime="${iso}">${shown}${precision === 'day' ? '' : ' UTC'}</time>`;
}

/** An attribute that is left out without a value. */
function attribute(name: string, value: string | number | undefined): Markup {
  return value === undefined || value === '' ? html`` : html`${name}="${value}"`;
}
