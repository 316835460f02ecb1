import { html } from 'hono/html';
import { publicError } from '#errors';
import { newDoor, readQuery, type Door } from '#http';
import { button, definitionList, field, hiddenFields, notice, time, type Markup } from '#pages';
import type { LoggedIn } from '../browsers.ts';
import { pageErrors, type Desk } from '../desk.ts';
import { deviceOf } from '../self/devices.ts';
import { words } from '../words.ts';
import {
  decisionButtons,
  parties,
  permissionList,
  request,
  resourceList,
  type AskedScope,
  type AskingApp,
} from './consent-parts.ts';

/** What a device asks of a person, and from where. Times are milliseconds since the epoch. */
export type DeviceView = {
  app: AskingApp;
  scopes: readonly AskedScope[];
  resources: readonly string[];
  asked: { at: number; address: string; userAgent: string | undefined };
};

/** What the authorization server lets these pages do. All but `claim` throw when the request is not this login's. */
export type DeviceSignIn = {
  /** The request that waits for this code, from now on this login's alone; undefined when none does. */
  claim(typed: string, browser: LoggedIn, clientAddress: string): Promise<string | undefined>;
  describe(requestId: string, browser: LoggedIn): Promise<DeviceView>;
  approve(requestId: string, browser: LoggedIn): Promise<void>;
  deny(requestId: string, browser: LoggedIn): Promise<void>;
};

/**
 * The pages of the device flow (RFC 8628, 3.3). A code in the address is only filled in: the person still has to
 * say that it is the one on their device (5.4).
 */
export function createDeviceDoor({ desk, deviceSignIn }: { desk: Desk; deviceSignIn: DeviceSignIn }): Door {
  const door = newDoor(pageErrors(desk.pages));

  door.get('/oauth/device', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const typed = readQuery(context).get('user_code')?.slice(0, 20);
    return desk.show(context, entryPage(desk, login.browser, typed));
  });

  door.post('/oauth/device', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const { fields } = await desk.browsers.readForm(context, 'device');
    const typed = fields.get('user_code');
    if (typed === undefined)
      return desk.show(context, entryPage(desk, login.browser, typed, words.device.needCode));
    const requestId = await deviceSignIn.claim(typed, login.browser, context.get('clientAddress'));
    if (requestId === undefined) {
      return desk.show(context, entryPage(desk, login.browser, typed.slice(0, 20), words.device.unknown));
    }
    return desk.goTo(context, confirmPath(requestId));
  });

  door.get('/oauth/device/confirm', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const requestId = requestIdOf(readQuery(context));
    const view = await deviceSignIn.describe(requestId, login.browser);
    return desk.show(
      context,
      desk.pages.page({
        title: words.device.confirmTitle,
        body: confirmBody(desk, requestId, view, login.browser),
      }),
    );
  });

  door.post('/oauth/device/confirm', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const requestId = requestIdOf(readQuery(context));
    const { fields } = await desk.browsers.readForm(context, purposeOf(requestId));
    const decision = fields.get('decision');
    if (decision === 'allow') {
      await deviceSignIn.approve(requestId, login.browser);
      return desk.goTo(context, '/oauth/device/done');
    }
    if (decision === 'cancel') {
      await deviceSignIn.deny(requestId, login.browser);
      return desk.goTo(context, '/oauth/device/cancelled');
    }
    throw publicError('bad_request', {
      description: `The decision '${decision ?? ''}' was received. Expected 'allow' or 'cancel'.`,
    });
  });

  for (const [path, title, text] of [
    ['/oauth/device/done', words.device.doneTitle, words.device.done],
    ['/oauth/device/cancelled', words.device.deniedTitle, words.device.denied],
  ] as const) {
    door.get(path, (context) =>
      desk.show(
        context,
        desk.pages.page({
          title,
          body: html`<div class="card" id="device-decided">
            <h1>${title}</h1>
            <p>${text}</p>
          </div>`,
        }),
      ),
    );
  }

  return door;
}

function entryPage(desk: Desk, browser: LoggedIn, typed: string | undefined, problem?: string) {
  return desk.pages.page({
    title: words.device.title,
    status: problem === undefined ? 200 : 422,
    body: html`<div class="card">
      <h1>${words.device.title}</h1>
      <p class="quiet">${words.device.about}</p>
      <form id="device" method="post" action="${desk.at('/oauth/device')}">
        ${hiddenFields({ csrf: browser.csrfToken('device') })}
        ${field({
          name: 'user_code',
          label: words.device.code,
          value: typed,
          autocomplete: 'off',
          maxlength: 20,
          mono: true,
          problem,
          autofocus: true,
        })}
        ${button({ id: 'device-continue', label: words.device.submit })}
      </form>
      ${notice('warning', words.device.careTitle, words.device.care)}
      <p class="in-use">
        <span>${words.consent.inUse} <strong>${browser.user.email}</strong></span>
      </p>
    </div>`,
  });
}

function confirmBody(desk: Desk, requestId: string, view: DeviceView, browser: LoggedIn): Markup {
  const { app, asked } = view;
  return html`<form id="consent" class="card" method="post" action="${desk.at(confirmPath(requestId))}">
    ${hiddenFields({ csrf: browser.csrfToken(purposeOf(requestId)) })} ${parties(desk, app, browser)}
    ${request(app, words.device.confirmTitle, words.device.sentenceStart)}
    <div id="device-asked">
      <h2>${words.device.asked}</h2>
      ${definitionList([
        [words.device.askedAt, time(asked.at)],
        [words.device.askedFrom, html`<span class="mono">${asked.address}</span>`],
        [words.device.askedWith, deviceOf(asked.userAgent) ?? words.profile.unknownDevice],
      ])}
    </div>
    ${permissionList(view.scopes)} ${resourceList(view.resources)}
    ${notice('warning', words.device.notYoursTitle, words.device.notYours)} ${decisionButtons()}
    <p class="in-use">
      <span>${words.consent.inUse} <strong>${browser.user.email}</strong></span>
    </p>
  </form>`;
}

function requestIdOf(parameters: ReadonlyMap<string, string>): string {
  const requestId = parameters.get('request');
  if (requestId === undefined) throw publicError('device_request_gone');
  return requestId;
}

function confirmPath(requestId: string): string {
  return `/oauth/device/confirm?request=${encodeURIComponent(requestId)}`;
}

/** A form that was made for one request decides no other. */
function purposeOf(requestId: string): string {
  return `device:${requestId}`;
}
