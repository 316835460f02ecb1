import {
  accessTokenTokenType,
  idTokenTokenType,
  jwtTokenType,
  tokenExchangeGrantType,
} from '@tessera/protocol';
import { oauthError } from '#errors';
import type { OpenGrant, OpenTokenRequest } from '../grant.ts';

export type ExchangeWorkloadToken = (request: {
  subjectToken: string;
  audience: string;
  reference: string;
  clientAddress: string;
}) => Promise<{ token: string; expiresAt: number; issuedAt: number }>;

export type ExchangeOutsideToken = (request: {
  team: string;
  subjectToken: string;
  policyId: string | undefined;
  reference: string;
  clientAddress: string;
}) => Promise<{ token: string; expiresInSeconds: number }>;

const ownTypes: readonly string[] = [jwtTokenType, idTokenTokenType];

/**
 * RFC 8693. Whose token the subject token is, the request says by its form: with `team_id_or_slug` it is one of another
 * platform, for an access token of that team; otherwise a workload token of ours, for one with another audience.
 */
export function createTokenExchangeGrant({
  exchangeWorkloadToken,
  exchangeOutsideToken,
}: {
  exchangeWorkloadToken: ExchangeWorkloadToken;
  exchangeOutsideToken: ExchangeOutsideToken;
}): OpenGrant {
  /** The token of a workload elsewhere, whom a team trusts: it becomes an access token of that team. */
  async function answerOutside({ form, reference, clientAddress }: OpenTokenRequest) {
    const requested = form.get('requested_token_type') ?? accessTokenTokenType;
    if (requested !== accessTokenTokenType) {
      throw oauthError(
        'invalid_request',
        `Parameter 'requested_token_type'. Expected '${accessTokenTokenType}', or none`,
      );
    }
    if (form.has('audience')) {
      throw oauthError('invalid_target', "Parameter 'audience'. The token is for this API: leave it out");
    }
    const { token, expiresInSeconds } = await exchangeOutsideToken({
      team: form.get('team_id_or_slug') ?? '',
      subjectToken: requireSubjectToken(form),
      policyId: form.get('policy_id'),
      reference,
      clientAddress,
    });
    return {
      access_token: token,
      issued_token_type: accessTokenTokenType,
      token_type: 'Bearer',
      expires_in: expiresInSeconds,
    };
  }

  /** A workload token of ours for another audience. */
  async function answerOwn({ form, reference, clientAddress }: OpenTokenRequest) {
    const requested = form.get('requested_token_type') ?? jwtTokenType;
    if (!ownTypes.includes(requested)) {
      throw oauthError(
        'invalid_request',
        `Parameter 'requested_token_type'. Expected ${ownTypes.map((one) => `'${one}'`).join(' or ')}, or none`,
      );
    }
    const audience = form.get('audience');
    if (audience === undefined) throw oauthError('invalid_request', "Parameter 'audience'. Required");
    const { token, expiresAt, issuedAt } = await exchangeWorkloadToken({
      subjectToken: requireSubjectToken(form),
      audience,
      reference,
      clientAddress,
    });
    return {
      access_token: token,
      issued_token_type: requested,
      // It is no access token of ours (RFC 8693, 2.2.1).
      token_type: 'N_A',
      expires_in: expiresAt - issuedAt,
    };
  }

  return {
    grantType: tokenExchangeGrantType,
    async answer(request) {
      validateForm(request.form);
      return request.form.has('team_id_or_slug') ? answerOutside(request) : answerOwn(request);
    },
  };
}

function requireSubjectToken(form: ReadonlyMap<string, string>): string {
  const subjectToken = form.get('subject_token');
  if (subjectToken === undefined) throw oauthError('invalid_request', "Parameter 'subject_token'. Required");
  return subjectToken;
}

/** What holds for every exchange. */
function validateForm(form: ReadonlyMap<string, string>): void {
  requireSubjectToken(form);
  const type = form.get('subject_token_type');
  if (type === undefined || !ownTypes.includes(type)) {
    throw oauthError(
      'invalid_request',
      `Parameter 'subject_token_type'. Expected ${ownTypes.map((one) => `'${one}'`).join(' or ')}`,
    );
  }
  if (form.has('actor_token') || form.has('actor_token_type')) {
    throw oauthError('invalid_request', "Parameter 'actor_token'. Nobody acts for a workload but itself");
  }
  if (form.has('resource')) {
    throw oauthError('invalid_target', "Parameter 'resource'. Name the receiver in 'audience'");
  }
  if (form.has('scope')) {
    throw oauthError('invalid_scope', "Parameter 'scope'. What the subject token says is kept: leave it out");
  }
}
