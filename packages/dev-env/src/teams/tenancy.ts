import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../wire/json.js';

/** What one Teams tenant holds, as far as a bot can see it: people, conversations, and what the bot said in them. */
export class Tenancy {
  readonly people = new Map<string, TeamsPerson>();
  readonly conversations = new Map<string, TeamsConversation>();
  readonly activities: StoredActivity[] = [];
  /** What a person's own client shows in place of an activity's card since an invoke answered a card. */
  readonly shown = new Map<string, JsonObject>();
  /** Things that work and should not be done, such as a card above 28 KB. */
  readonly warnings: string[] = [];
  private lastId = 0;

  constructor(
    readonly appId: string,
    readonly tenantId: string,
    readonly now: () => number,
  ) {}

  get bot(): { readonly id: string; readonly name: string } {
    return { id: `28:${this.appId}`, name: 'Countersign' };
  }

  /** An activity's id: Teams takes the milliseconds since 1970; later than every earlier one. */
  nextId(): string {
    this.lastId = Math.max(this.lastId + 1, this.now());
    return String(this.lastId);
  }

  addPerson(person: NewTeamsPerson): TeamsPerson {
    const aadObjectId = person.aadObjectId ?? randomUUID();
    const [givenName = person.name, ...rest] = person.name.split(' ');
    const whole: TeamsPerson = {
      id: `29:${Buffer.from(aadObjectId).toString('base64url')}`,
      userPrincipalName: person.email,
      tenantId: this.tenantId,
      userRole: 'user',
      givenName,
      surname: rest.join(' '),
      ...person,
      aadObjectId,
    };
    this.people.set(person.key, whole);
    return whole;
  }

  /** A person by the test's name for them. */
  person(key: string): TeamsPerson {
    const person = this.people.get(key);
    if (person === undefined) throw new Error(`the fake Teams has no person ${key}`);
    return person;
  }

  /** A person by any id that Teams takes: `29:…`, the directory's object id, or the user principal name. */
  find(id: string): TeamsPerson | undefined {
    return [...this.people.values()].find((one) => one.id === id || one.aadObjectId === id || one.userPrincipalName.toLowerCase() === id.toLowerCase());
  }

  addConversation(conversation: NewTeamsConversation): TeamsConversation {
    const whole: TeamsConversation = { members: [...this.people.keys()], installed: true, blocked: false, name: '', ...conversation };
    this.conversations.set(whole.id, whole);
    return whole;
  }

  /** The conversation that an id names; the id of a thread in a channel ends in `;messageid=…`, and a team's roster is asked for by the team's id. */
  conversation(id: string): TeamsConversation | undefined {
    const base = id.split(';')[0] ?? '';
    return this.conversations.get(base) ?? [...this.conversations.values()].find((one) => one.teamId === base);
  }

  /** The personal conversation of a person with the bot, made where there is none. */
  personal(key: string, installed: boolean): TeamsConversation {
    const id = `a:1${Buffer.from(this.person(key).aadObjectId).toString('base64url')}`;
    const known = this.conversations.get(id);
    return known ?? this.addConversation({ id, type: 'personal', members: [key], installed });
  }
}

export interface TeamsPerson {
  /** The test's name for the person. */
  readonly key: string;
  readonly id: string;
  readonly name: string;
  readonly givenName: string;
  readonly surname: string;
  readonly email: string;
  readonly aadObjectId: string;
  /** That of a guest contains `#EXT#`. */
  readonly userPrincipalName: string;
  readonly tenantId: string;
  /** `user`, or `anonymous` for one who joined a meeting without an account. */
  readonly userRole: string;
}

export type NewTeamsPerson = Pick<TeamsPerson, 'key' | 'name' | 'email'> & Partial<TeamsPerson>;

export interface TeamsConversation {
  readonly id: string;
  readonly type: 'personal' | 'groupChat' | 'channel';
  readonly name: string;
  /** Keys of the people in it. */
  readonly members: readonly string[];
  readonly teamId?: string;
  readonly teamName?: string;
  /** Whether the app is installed there. */
  installed: boolean;
  /** Whether the person blocked the bot. */
  blocked: boolean;
}

export type NewTeamsConversation = Pick<TeamsConversation, 'id' | 'type'> & Partial<TeamsConversation>;

/** What the bot posted, as it stands now. */
export interface StoredActivity {
  readonly id: string;
  /** With the thread, where it is one in a channel. */
  readonly conversationId: string;
  /** False for what a person wrote. */
  readonly byBot: boolean;
  readonly replyToId: string | undefined;
  body: JsonObject;
  /** How often it was updated. */
  updates: number;
  deleted: boolean;
}
